/**
 * From statistics to decisions, for experts: search, second passes, rounding, diagnosis.
 *
 * @module
 */
export type { Levels } from "../core/grid.ts";
export {
  type Constraint,
  CONSTRAINTS,
  ERROR_METHODS,
  type ErrorMethod,
  GRANULARITIES,
  type Granularity,
  METHOD_CHOICES,
  type MethodChoice,
  SIGNEDNESS,
  type Signedness,
  WEIGHT_METHODS,
  type WeightMethod,
} from "../core/types.ts";
export { diagnose, type DiagnoseOptions } from "./diagnose/diagnose.ts";
export { diagnoseQuantized, type DiagnoseQuantizedOptions } from "./diagnose/diagnose_quantized.ts";
export type {
  DiagnosedQuantizer,
  DiagnosedTensor,
  Diagnosis,
  Remedies,
  Remedy,
  TensorError,
} from "./diagnose/diagnosis.ts";
export type { DecidedInput } from "./diagnose/redecide.ts";
export type { OutputLoss } from "./diagnose/output_losses.ts";
export { type TryOptions, tryRemedies } from "./diagnose/try_remedies.ts";
export type { ModelEvaluation } from "./evaluate/evaluate.ts";
export { evaluateModels } from "./evaluate/evaluate_models.ts";
export type { EvaluateVariantsOptions, NamedModel } from "./evaluate/evaluate_variants.ts";
export { supplyRuntime } from "./inference/default_runtime.ts";
export type {
  InferenceSession,
  NativeRuntime,
  RuntimeBinary,
  SessionOptions,
} from "./inference/runtime.ts";
export type { OutputFigures, OutputKind } from "./evaluate/output_figures.ts";
export type { PairedCounts, PairedDifference } from "./evaluate/paired.ts";
export { type ByOutputOptions, chooseByOutput } from "./passes/choose_by_output.ts";
export { learnRewrites } from "./passes/learn_rewrites.ts";
export { type RoundingInput, roundWeights } from "./passes/round_weights.ts";
export {
  exactChoices,
  type TrueError,
  trueErrors,
  type Verified,
  verify,
} from "./passes/second_pass.ts";
export type { PassOptions } from "./passes/stream_activations.ts";
export { type CostsFile, parseCosts } from "./plan/costs_file.ts";
export type {
  FrontWish,
  Plan,
  PlanFigures,
  PlannedUnit,
  PlanRound,
  PlanWish,
} from "./plan/plan.ts";
export { parseSensitivity, type Sensitivity } from "./plan/sensitivity_file.ts";
export type { MeasureOptions } from "./profile/measure_kernels.ts";
export { costsOfModel, type CostsOptions } from "./quantize/costs_of_model.ts";
export type { EvaluatedModel, ReportInput } from "./report/page/collect.ts";
export type { RunDescription } from "./report/page/data.ts";
export { type ChosenMethod, decide, type DecideInput } from "./search/decide.ts";
export { decideFromStatistics, type StatisticsInput } from "./search/decide_from_statistics.ts";
export type { Limits, Loss } from "./verdict/limits.ts";
export type { Verdict } from "./verdict/verdict.ts";
