/**
 * Plimsoll as a library: find the threshold of every activation tensor of a float ONNX model from a
 * stream of calibration samples, and emit a quantized QDQ model.
 *
 * @module
 */
export { canonicalJson } from "../core/canonical_json.ts";
export type { Levels } from "../core/grid.ts";
export { emitModel } from "../tpc/emission/emit.ts";
export type { WeightCodes } from "../tpc/emission/insert_qdq.ts";
export { type ErrorKind, type ErrorParts, PlimsollError } from "../core/errors.ts";
export { type Manifest, parseManifest } from "../tpc/manifest.ts";
export { type Model, readModel, writeModel } from "../onnx/file/model.ts";
export { parseTarget, presetTarget, readTarget, TARGET_NAMES } from "../tpc/targets/read_target.ts";
export type { MctImport } from "../tpc/targets/import_mct.ts";
export type { Override, Target } from "../tpc/targets/target.ts";
export { calibrate, type CalibrateOptions, type Checkpoint } from "./passes/calibrate.ts";
export type { CalibrateHereOptions } from "./passes/calibrate_here.ts";
export { diagnose, type DiagnoseOptions } from "./diagnose/diagnose.ts";
export type {
  DiagnosedQuantizer,
  DiagnosedTensor,
  Diagnosis,
  Remedies,
  Remedy,
  TensorError,
} from "./diagnose/diagnosis.ts";
export type { DecidedInput } from "./diagnose/redecide.ts";
export { type TryOptions, tryRemedies } from "./diagnose/try_remedies.ts";
export { type Convergence, ConvergenceMonitor } from "./passes/convergence.ts";
export type { OnProgress, Progress } from "../core/progress.ts";
export type { HostWorker } from "../core/host.ts";
export type {
  InputTensor,
  PixelImage,
  RawSample,
  Sample,
  SampleInput,
  Tensor,
} from "../core/tensor.ts";
export type { OnTime, Work } from "../core/timing.ts";
export type { CollectorOptions } from "./statistics/collector.ts";
export type { ChannelAxis, ChannelStatistics } from "./statistics/channel_sums.ts";
export type { SourceCoverage } from "./statistics/coverage.ts";
export { mergeStatistics } from "./statistics/merge_statistics.ts";
export type { StartWorker } from "./workers/pool.ts";
export {
  type FloatModel,
  loadFloatModel,
  type LoadOptions,
  type Quantization,
  quantize,
  type QuantizeOptions,
  rewriteModel,
} from "./quantize/quantize.ts";
export {
  type OpenedSamples,
  type QuantizedVariant,
  type QuantizedVariants,
  quantizeVariants,
  type QuantizeVariantsOptions,
  type Variant,
  type VariantPass,
} from "./quantize/quantize_variants.ts";
export { learnRewrites } from "./passes/learn_rewrites.ts";
export { applyRewrites, type Rewrites } from "../onnx/rewrites/rewrites.ts";
export { rewritesFor } from "../tpc/targets/rewrites_for.ts";
export { type ByOutputOptions, chooseByOutput } from "./passes/choose_by_output.ts";
export { type ChosenMethod, decide, type DecideInput } from "./search/decide.ts";
export { readPlim, writePlim } from "./statistics/plim.ts";
export type { AttributeValue } from "../onnx/graph/node.ts";
export type {
  ElementType,
  GraphOutline,
  OutlineConstant,
  OutlineNode,
  OutlineValue,
} from "../onnx/graph/outline.ts";
export type { HistogramData } from "../wasm/mod.ts";
export type { DataCoverage, Statistics, TensorStatistics } from "./statistics/statistics.ts";
export { type RoundingInput, roundWeights } from "./passes/round_weights.ts";
export type { Verified } from "./report/verification.ts";
export { reportPage } from "./report/page/render.ts";
export type { ModelEvaluation } from "./evaluate/evaluate.ts";
export type { PairedCounts, PairedDifference } from "./evaluate/paired.ts";
export type { EvaluatedModel, ReportInput } from "./report/page/collect.ts";
export { exactChoices, type TrueError, trueErrors, verify } from "./passes/second_pass.ts";
export type { PassOptions } from "./passes/stream_activations.ts";
export { sha256 } from "../core/hash.ts";
export {
  type NativeRuntime,
  type RuntimeBinary,
  type RuntimeSource,
  supplyRuntime,
} from "./inference/runtime.ts";
export { supplyWasm, type WasmModules } from "../wasm/mod.ts";
export { applyChoices, type TargetChoices } from "../tpc/targets/apply_choices.ts";
export {
  openPreparedSamples,
  type PreparedSamples,
  type PreparedSamplesOptions,
} from "./source/prepared_samples.ts";
export { preprocessingFrom } from "./source/preprocessor_config.ts";
export {
  parsePreprocessing,
  type Preprocessing,
  presetPreprocessing,
} from "./source/preprocess.ts";
export type { ByteSource } from "./source/byte_source.ts";
export type { OpenSamplesOptions } from "./source/open_samples.ts";
export type { SelectionOptions } from "./source/sample_source.ts";
export { type Format, FORMATS } from "./source/format.ts";
export type { LabelFile, LabelSource } from "./source/labels.ts";
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
