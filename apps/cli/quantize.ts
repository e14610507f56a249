/**
 * `quantize`: model, data, target → quantized model, manifest, statistics, evaluation.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { commandLineWording, wordOptions } from "../../core/option_words.ts";
import type { FileContent } from "../../core/host.ts";
import { Stopwatch, timed } from "../../core/timing.ts";
import type { ErrorMethod } from "../../core/types.ts";
import { diagnoseQuantized, wholeBatches } from "../../pipeline/diagnose/diagnose_quantized.ts";
import type { Diagnosis } from "../../pipeline/diagnose/diagnosis.ts";
import type { ModelEvaluation } from "../../pipeline/evaluate/evaluate.ts";
import { evaluateModels } from "../../pipeline/evaluate/evaluate_models.ts";
import {
  type NamedRecipe,
  type Quantization,
  quantizeAll,
  type QuantizeEvent,
} from "../../pipeline/quantize/quantize.ts";
import { verifyResult } from "../../pipeline/quantize/verify_result.ts";
import type { PlanWish } from "../../pipeline/plan/plan.ts";
import { planReport } from "../../pipeline/report/plan.ts";
import { accuracyReport } from "../../pipeline/report/accuracy.ts";
import { quantizedCounts } from "../../pipeline/report/counts.ts";
import { diagnosisReport } from "../../pipeline/report/diagnosis.ts";
import { reportPage } from "../../pipeline/report/page/render.ts";
import { decisionStep, modelStep, targetStep } from "../../pipeline/report/steps.ts";
import { culpritReport, verdictReport } from "../../pipeline/report/verdict.ts";
import { verificationReport } from "../../pipeline/report/verification.ts";
import type { Statistics } from "../../pipeline/statistics/statistics.ts";
import { limitsOf, lossesOfEvaluation, lossesOfGrids } from "../../pipeline/verdict/limits.ts";
import { notesOnEvaluation } from "../../pipeline/verdict/suspicious_data.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import type { Verdict } from "../../pipeline/verdict/verdict.ts";
import { WISHES } from "../../tpc/recipe/wishes.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { type Context, EXIT_LOST } from "./context.ts";
import {
  addDiagnoseOptions,
  addRemedyOptions,
  checkDiagnose,
  DEFAULT_DIAGNOSE_REMEDIES,
  DEFAULT_DIAGNOSE_SAMPLES,
  type DiagnoseCommandOptions,
} from "./diagnose_options.ts";
import {
  checkReadable,
  dataPath,
  type LoadedRecipe,
  loadModel,
  loadRecipe,
  modelTitle,
  samplesAt,
  takenBy,
} from "./inputs.ts";
import { judgedSamples } from "./judged_samples.ts";
import { folder, positiveInteger } from "./option_values.ts";
import {
  addDataOptions,
  addOutputOptions,
  addTargetOptions,
  type DataOptions,
  type OutputOptions,
  type TargetOptions,
} from "./options.ts";
import { addPlanOptions, type PlanOptions, planWish } from "./plan_options.ts";
import { ProgressPrinter } from "./progress.ts";
import { type QueuedRun, withQueue } from "./queue_options.ts";
import { RunRecord } from "./run_record.ts";
import { watchThresholds } from "./watch_thresholds.ts";
import { EVERY_WISH } from "./wish_options.ts";
import { addWorkOptions, checkWork, prepareWork, type WorkOptions } from "./work_options.ts";

interface QuantizeCommandOptions
  extends
    DataOptions,
    TargetOptions,
    WorkOptions,
    OutputOptions,
    DiagnoseCommandOptions,
    PlanOptions {
  model?: string;
  evalData?: string;
  untilStable?: number;
  verify?: boolean;
  accept?: boolean;
  out: string;
}

/** The method that every evaluation is compared with: what one gets without a search. */
const BASELINE: ErrorMethod = "noclipping";

/** Adds the command to the program. */
export function addQuantizeCommand(program: Command, context: Context): void {
  const command = program.command("quantize")
    .description("quantize a float ONNX model: calibrate, search thresholds, emit, evaluate")
    .option(
      "--model <file>",
      "float ONNX model (default: the demo's, MobileNetV2-style on Fashion-MNIST)",
    );
  addWorkOptions(addTargetOptions(addDataOptions(command, "calibration samples"), EVERY_WISH))
    .option(
      "--eval-data <path>",
      "samples to compare float and quantized on, best with labels (default: the demo's, else none)",
    )
    .option(
      "--until-stable <n>",
      "stop calibrating when no threshold has changed for n batches; writes convergence.json, too",
      positiveInteger,
    )
    .option("--verify", "prove the reported errors by a second pass over the elements")
    .option("--accept", "end with 0 whatever the verdict: 3 where the model lost what it is for");
  addOutputOptions(addPlanOptions(addRemedyOptions(addDiagnoseOptions(command))))
    .option("--out <folder>", "where the results go", folder, "out")
    .addHelpText(
      "after",
      `
Examples:
  deno task quantize                                  the demo, into out/
  deno task quantize --model m.onnx --data train-images-idx3-ubyte.gz \\
      --mean 0.5 --std 0.5 --eval-data t10k-images-idx3-ubyte.gz --out m-int8
  deno task quantize --error noclipping --bits 6      the demo with other choices
  deno task quantize --bits 4 --diagnose              which layers lose it, and what would help
  deno task quantize --plan --target onnxruntime-web --max-latency 0.8     closest to float in 0.8 of its time
  deno task quantize --recipe out/manifest.json --out again      the same run, the same bytes

Writes model.onnx, manifest.json, statistics.plim, report.html and, with evaluation data,
evaluation.json; with --diagnose diagnosis.json; with --plan plan.json and sensitivity.json. Paths, times and versions are in run.json.
`,
    )
    .action((options: QuantizeCommandOptions) =>
      withQueue(options, context, (queued) => run(options, context, queued))
    );
}

/** All that may come into the folder: whatever can't be written is found before the work, and not half-way behind it. */
const OUTPUTS = [
  "model.onnx",
  "model.onnx.data",
  "codes.bin",
  "statistics.plim",
  "evaluation.json",
  "diagnosis.json",
  "convergence.json",
  "plan.json",
  "sensitivity.json",
  "verdict.json",
  "run.json",
  "report.html",
  "manifest.json",
];

async function run(
  options: QuantizeCommandOptions,
  context: Context,
  queued: QueuedRun,
): Promise<void> {
  const { host, screen, signal } = context;
  checkWork(options);
  checkDiagnose(options);
  const progress = new ProgressPrinter(screen, options);
  const record = new RunRecord(context);
  const loaded = await loadRecipe(host, options);
  const plan = await planWish(host, options);
  const float = await loadModel(host, options.model, { requantize: loaded.recipe.requantize });
  for (const name of OUTPUTS) await host.checkWritable(`${options.out}/${name}`);
  const evalPath = options.evalData ??
    (options.model === undefined ? dataPath(host, { role: "evaluation" }) : undefined);
  if (evalPath !== undefined) await checkReadable(host, evalPath);
  const { model } = options;
  const path = dataPath(host, { data: options.data, model, role: "calibration" });
  const work = await prepareWork(host, options, { model: float.sha256, progress });
  context.kept = options.checkpoint;
  const watch = new Stopwatch();
  const reading = {
    ...readingOf(options, loaded),
    ...takenBy(host, float.original, { path: options.model, ...options }),
  };
  const hooks = { watch, onRead: progress.addBytes };
  const calibration = samplesAt(host, path, reading, hooks);
  const evaluation = evalPath === undefined
    ? undefined
    // --samples limits calibration; the evaluation is always whole.
    : samplesAt(host, evalPath, { ...reading, samples: undefined }, hooks);

  let statistics: Statistics | undefined;
  const onEvent = async (event: QuantizeEvent) => {
    switch (event.kind) {
      case "progress":
        return progress.report(event.progress);
      case "prepared":
        for (const note of event.float.notes) progress.note(note);
        progress.step(modelStep(event.float));
        return progress.step(targetStep(event.target));
      case "calibrated":
        statistics = event.statistics;
        // Whatever fails later: this was the long part.
        context.saved = `${options.out}/statistics.plim`;
        return await host.writeFiles(new Map([[context.saved, event.file]]));
      case "sensitivity": {
        // The other long part.
        const file = canonicalJson(event.sensitivity);
        return await host.writeFiles(new Map([[`${options.out}/sensitivity.json`, file]]));
      }
      case "note":
        return progress.note(event.text);
      case "made":
      case "pass":
        return;
      default:
        event satisfies never;
    }
  };
  const watching = watchThresholds({ ...options, progress });
  const recipes = recipesOf(loaded, evaluation !== undefined, plan);
  const elsewhere = await queued.submit({
    float,
    path,
    reading,
    progress,
    model,
    data: options.data,
    requantize: loaded.recipe.requantize,
    wishes: [recipes, options.onNonfinite],
  });
  const [result, baseline] = await quantizeAll(
    float,
    recipes,
    calibration,
    {
      ...work,
      elsewhere,
      signal,
      onEvent,
      batch: options.batch,
      onTime: watch.add,
      watch: watching.watch,
      wording: commandLineWording,
      judgeOn: judgedSamples(host, { path, limit: reading.samples, evalPath, reading }),
    },
  );
  progress.step(decisionStep(result.manifest));
  if (options.verify) {
    const checked = await verifyResult(result, statistics!, calibration, {
      signal,
      elsewhere,
      onEvent,
      batch: options.batch,
    });
    progress.note(verificationReport(checked));
  }
  const evaluations = evaluation &&
    await timed(watch.add, "evaluate", async () =>
      await evaluateModels(
        [
          { name: "float", model: float.original },
          {
            name: computationOf(result.target) ?? result.target.activation.error,
            model: result.emitted,
          },
          ...(baseline === undefined ? [] : [{ name: BASELINE, model: baseline.emitted }]),
        ],
        await evaluation.open(),
        { batch: options.batch, signal, onProgress: progress.report },
      ));
  if (evaluations) progress.step(`evaluated ${evaluations.map(({ name }) => name).join(", ")}`);
  const verdict = verdictOf(result, evaluations);
  const isLost = verdict !== undefined && verdict.lost.length > 0;
  const { diagnoseSamples, diagnoseRemedies } = options;
  const samples = wholeBatches(result.float, diagnoseSamples ?? DEFAULT_DIAGNOSE_SAMPLES);
  // Standard input can't be read again to find the culprit.
  const wantsDiagnosis = options.diagnose || isLost && (evalPath ?? path) !== "-";
  // What is found as the model runs, or isn't quantized at all, can't be looked at tensor by tensor.
  const isDiagnosed = wantsDiagnosis && result.manifest.activations.length > 0;
  if (options.diagnose && !isDiagnosed) {
    progress.note("not diagnosed: no activation of this model has a grid that samples have chosen");
  }
  const diagnosis = !isDiagnosed ? undefined : await diagnoseQuantized(result, {
    statistics: statistics!,
    signal,
    batch: options.batch,
    onProgress: progress.report,
    remedies: diagnoseRemedies ?? (options.diagnose ? DEFAULT_DIAGNOSE_REMEDIES : 1),
    opener: samplesAt(host, evalPath ?? path, { ...reading, samples }, hooks),
    data: evalPath === undefined ? "calibration" : "evaluation",
  });
  if (diagnosis) progress.step(`diagnosed on ${diagnosis.samples} samples`);

  const title = modelTitle(options.model);
  const convergence = watching.record();
  record.finish({ model: options.model ?? title, data: path, evaluation: evalPath });
  const files = new Map<string, FileContent>([
    ...filesOf(options.out, result),
    ...(evaluations
      ? [[`${options.out}/evaluation.json`, canonicalJson({ models: evaluations })]] as const
      : []),
    ...(diagnosis ? [[`${options.out}/diagnosis.json`, canonicalJson(diagnosis)]] as const : []),
    ...(convergence
      ? [[`${options.out}/convergence.json`, canonicalJson(convergence)]] as const
      : []),
    ...(verdict ? [[`${options.out}/verdict.json`, canonicalJson(verdict)]] as const : []),
    ...(result.plan
      ? [
        [`${options.out}/plan.json`, canonicalJson(result.plan)],
        [`${options.out}/sensitivity.json`, canonicalJson(result.sensitivity)],
      ] as const
      : []),
    [`${options.out}/run.json`, record.json()],
    [
      `${options.out}/report.html`,
      watch.time("report", () =>
        reportPage({
          title,
          manifest: result.manifest,
          statistics: statistics!,
          run: record.value(),
          ...(evaluations && { evaluation: evaluations.map((evaluation) => ({ evaluation })) }),
          ...(diagnosis && { diagnosis }),
          ...(verdict && { verdict }),
          ...(result.plan && { plan: result.plan }),
        })),
    ],
  ]);
  progress.step(`time: ${watch}`);
  await host.writeFiles(files);
  if (isLost && !options.accept) context.exitCode = EXIT_LOST;
  const paths = [...files.keys()];
  if (options.json) {
    return host.print(canonicalJson({
      files: paths,
      evaluation: evaluations ?? null,
      verdict: verdict ?? null,
      ...(diagnosis === undefined ? {} : { diagnosis }),
    }));
  }
  host.print(
    summary(result, {
      evaluations,
      diagnosis: options.diagnose ? diagnosis : undefined,
      verdict,
      culprits: isLost ? diagnosis : undefined,
      paths,
      width: host.terminal?.outputColumns(),
    }),
  );
}

/** How samples are read: as the options say, and else as in the run that `--recipe` repeats. */
function readingOf(options: QuantizeCommandOptions, { recipe, samples }: LoadedRecipe) {
  return {
    ...options,
    samples: options.samples ?? samples,
    recipePreprocessing: recipe.preprocessing,
  };
}

/** The recipe, and the baseline from the same calibration where results are compared. */
function recipesOf(
  { recipe, target }: LoadedRecipe,
  isCompared: boolean,
  plan: PlanWish | undefined,
): NamedRecipe[] {
  const wished = { ...recipe, name: "the recipe", ...(plan && { plan }) };
  const hasBaseline = computationOf(target) === undefined && target.activation.error !== BASELINE;
  if (!isCompared || !hasBaseline) return [wished];
  const { exact: _, autoBy: _by, autoRuns: _runs, ...others } = recipe;
  const { weightRounding: _rounding, sequential: _layers, ...rest } = others;
  return [wished, { ...rest, error: BASELINE, name: BASELINE, isUnchecked: true }];
}

/** How layers compute where activations have no grids to choose; undefined where they have. */
function computationOf({ layers = {} }: Pick<Target, "layers">): string | undefined {
  const { activations, weightOnly } = layers;
  if (weightOnly !== undefined) return WISHES.weightOnly.word(weightOnly);
  return activations === "dynamic" ? activations : undefined;
}

/** Files of a result, by path. */
function filesOf(
  out: string,
  { model, manifest, statistics, codes, weights }: Quantization,
): [string, FileContent][] {
  return [
    [`${out}/model.onnx`, model],
    [`${out}/manifest.json`, canonicalJson(manifest)],
    [`${out}/statistics.plim`, statistics],
    ...(codes ? [[`${out}/codes.bin`, codes] satisfies [string, FileContent]] : []),
    ...(weights.length > 0
      ? [[`${out}/model.onnx.data`, weights] satisfies [string, FileContent]]
      : []),
  ];
}

/** What a user reads at the end. */
function summary(
  { manifest, target, plan }: Quantization,
  { evaluations, diagnosis, verdict, culprits, paths, width }: {
    readonly evaluations?: readonly ModelEvaluation[];
    readonly diagnosis?: Diagnosis;
    readonly verdict?: Verdict;
    /** Where the model lost what it is for. */
    readonly culprits?: Diagnosis;
    readonly paths: readonly string[];
    readonly width?: number;
  },
): string {
  const { float, data } = manifest;
  return `${quantizedCounts(manifest)} quantized for target ` +
    `${target.name} from ${data.samples} samples; ${float.length} nodes stay float\n\n` +
    (evaluations === undefined ? "" : accuracyReport(evaluations) + "\n") +
    (diagnosis === undefined
      ? ""
      : diagnosisReport(diagnosis, { tensors: "worst", width }) + "\n") +
    (plan === undefined ? "" : planReport(plan) + "\n") +
    (verdict === undefined ? "" : verdictReport(verdict)) +
    (culprits === undefined ? "" : culpritReport(culprits)) +
    (verdict === undefined ? "" : "\n") +
    `Wrote ${paths.join(", ")}\n`;
}

/** The verdict on all evaluation samples where there are some, else that on the few that every model is run on. */
function verdictOf(
  { verdict, recipe, manifest, emitted }: Quantization,
  evaluations: readonly ModelEvaluation[] | undefined,
): Verdict | undefined {
  if (evaluations === undefined) return verdict;
  const [float, own] = evaluations;
  const { outputs, samples } = own;
  const lost = [
    ...lossesOfEvaluation(float, own, limitsOf(recipe)),
    ...lossesOfGrids(manifest),
  ];
  const [first] = outlineGraph(emitted.graph).outputs;
  const classes = first?.shape?.length === 2 ? first.shape[1] ?? undefined : undefined;
  const notes = notesOnEvaluation(evaluations, classes)
    .map((note) => wordOptions(note, commandLineWording));
  return {
    samples,
    data: "evaluation",
    outputs,
    lost,
    notes: [...verdict?.notes ?? [], ...notes],
  };
}
