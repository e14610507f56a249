/**
 * `quantize`: model, data, target → quantized model, manifest, statistics, evaluation.
 *
 * @module
 */
import { rewritesFor } from "../../tpc/targets/rewrites_for.ts";
import { type Command, Option } from "commander";
import { PlimsollError } from "../../core/errors.ts";
import { canonicalJson } from "../../core/canonical_json.ts";
import { emitModel } from "../../tpc/emission/emit.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { ErrorMethod } from "../../core/types.ts";
import type { ModelEvaluation } from "../../pipeline/evaluate/evaluate.ts";
import { holdsOut } from "../../pipeline/passes/calibrate_here.ts";
import { DEFAULT_AUTO_RUNS } from "../../pipeline/passes/choose_by_output.ts";
import { ConvergenceMonitor } from "../../pipeline/passes/convergence.ts";
import { type FloatModel, type Quantization, quantize } from "../../pipeline/quantize/quantize.ts";
import { diagnosisReport } from "../../pipeline/report/diagnosis.ts";
import { decisionStep, modelStep, targetStep } from "../../pipeline/report/steps.ts";
import { verificationReport } from "../../pipeline/report/verification.ts";
import { accuracyReport } from "../../pipeline/report/accuracy.ts";
import { reportPage } from "../../pipeline/report/page/render.ts";
import { readCodes } from "../../pipeline/rounding/codes_file.ts";
import { decide } from "../../pipeline/search/decide.ts";
import { verify } from "../../pipeline/passes/second_pass.ts";
import { readPlim } from "../../pipeline/statistics/plim.ts";
import type { DataCoverage, Statistics } from "../../pipeline/statistics/statistics.ts";
import type { FileContent } from "../../core/host.ts";
import type { Context } from "./context.ts";
import { evaluateModels } from "./evaluate_models.ts";
import {
  checkReadable,
  dataPath,
  loadModel,
  loadSamples,
  loadTarget,
  modelTitle,
} from "./inputs.ts";
import {
  addDataOptions,
  addModelOptions,
  addOutputOptions,
  addTargetOptions,
  type DataOptions,
  type ModelOptions,
  type OutputOptions,
  type TargetOptions,
} from "./options.ts";
import { folder, positiveInteger } from "./option_values.ts";
import {
  addDiagnoseOptions,
  addRemedyOptions,
  checkDiagnose,
  type DiagnoseCommandOptions,
} from "./diagnose_options.ts";
import { diagnoseQuantized } from "./diagnose_quantized.ts";
import { learn } from "./learn.ts";
import { ProgressPrinter } from "./progress.ts";
import { watchThresholds } from "./watch_thresholds.ts";
import { Stopwatch } from "../../core/timing.ts";
import {
  addWorkOptions,
  checkWork,
  coveredBy,
  prepareWork,
  type WorkOptions,
} from "./work_options.ts";

/** What decides between the methods of `auto`. */
const AUTO_BY = ["error", "output"] as const;
type AutoBy = (typeof AUTO_BY)[number];

interface QuantizeCommandOptions
  extends
    DataOptions,
    TargetOptions,
    ModelOptions,
    WorkOptions,
    OutputOptions,
    DiagnoseCommandOptions {
  model?: string;
  evalData?: string;
  untilStable?: number;
  exact?: boolean;
  weightRounding: "nearest" | "gptq";
  autoBy: AutoBy;
  autoRuns?: number;
  verify?: boolean;
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
  addWorkOptions(
    addModelOptions(addTargetOptions(addDataOptions(command, "calibration samples"))),
  )
    .option(
      "--eval-data <path>",
      "samples to compare float and quantized on, best with labels (default: the demo's, else none)",
    )
    .option(
      "--until-stable <n>",
      "stop calibrating when no threshold has changed for n batches; writes convergence.json, too",
      positiveInteger,
    )
    .option("--exact", "choose grids that are not powers of two by a second pass over the elements")
    .addOption(
      new Option(
        "--weight-rounding <how>",
        "gptq: codes by which layers err least, from second moments of their inputs; another pass of 128 samples, writes codes.bin, too",
      ).choices(["nearest", "gptq"]).default("nearest"),
    )
    .addOption(
      new Option(
        "--auto-by <what>",
        "what --error auto goes by: each tensor's own error, or the outputs of the model on up to 16 held-out samples",
      ).choices(AUTO_BY).default("error"),
    )
    .option(
      "--auto-runs <n>",
      `runs of the model that --auto-by output may take; a sample is a run for every grid tried (default: ${DEFAULT_AUTO_RUNS})`,
      positiveInteger,
    )
    .option("--verify", "prove the reported errors by a second pass over the elements");
  addOutputOptions(addRemedyOptions(addDiagnoseOptions(command)))
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

Writes model.onnx, manifest.json, statistics.plim, report.html and, with evaluation data,
evaluation.json; with --diagnose diagnosis.json.
`,
    )
    .action((options: QuantizeCommandOptions) => run(options, context));
}

async function run(options: QuantizeCommandOptions, context: Context): Promise<void> {
  const { host, screen, signal } = context;
  checkWork(options);
  checkDiagnose(options);
  const progress = new ProgressPrinter(screen, options);
  const target = await loadTarget(host, options);
  checkAutoBy(options, target);
  const loadedModel = await loadModel(host, options.model, {
    ...options,
    rewrites: rewritesFor(target),
  });
  await host.checkWritable(`${options.out}/model.onnx`);
  const evalPath = options.evalData ??
    (options.model === undefined ? dataPath(host, { role: "evaluation" }) : undefined);
  if (evalPath !== undefined) await checkReadable(host, evalPath);
  const { model } = options;
  const path = dataPath(host, { data: options.data, model, role: "calibration" });
  const float = await learn(loadedModel, { ...context, target, options, progress, path });
  const monitor = options.untilStable === undefined
    ? undefined
    : new ConvergenceMonitor(float.prepared, target, options.untilStable);
  const work = await prepareWork(host, options, { model: float.sha256, progress });
  context.kept = options.checkpoint;
  progress.step(modelStep(float));
  progress.step(targetStep(target));
  const watch = new Stopwatch();
  const loaded = await loadSamples(host, path, options, {
    ...{ skip: work.skip, watch, onRead: progress.addBytes },
  });
  const total = work.left(loaded.count);
  const pass = { target, total, signal, batch: options.batch, onProgress: progress.report };
  // A second pass sees the samples that the first has seen, no more.
  const reopen = async (data: DataCoverage) => {
    const covered = coveredBy(data);
    const skip = (index: number) => !covered.has(index);
    return (await loadSamples(host, path, options, { skip, onRead: progress.addBytes }))
      .samples;
  };
  const result = await quantize(float, loaded.samples, {
    ...{ ...pass, ...work.options },
    source: loaded.identity,
    preprocessing: loaded.preprocessing,
    onTime: watch.add,
    ...watchThresholds({
      ...{ model: float.prepared, target, progress, monitor, workers: options.workers },
    }),
    ...(options.exact ? { reopenForExact: reopen } : {}),
    ...(options.weightRounding === "gptq" ? { reopenForRounding: reopen } : {}),
    ...(options.autoBy === "output" ? { autoByOutput: { reopen, runs: options.autoRuns } } : {}),
  });
  progress.step(`${decisionStep(result.manifest)}; ${watch}`);
  const statistics = await readPlim(result.statistics, "statistics.plim");
  if (options.verify) {
    const { data } = statistics;
    const checked = await verify(result.manifest, await reopen(data), {
      ...{ ...pass, total: data.samples },
      model: float.prepared,
    });
    progress.note(verificationReport(checked));
  }
  const evaluations = evalPath === undefined ? undefined : await compareWithBaseline(
    float,
    result,
    { statistics, target, evalPath, options, host, signal },
    progress,
  );
  if (evaluations) progress.step(`evaluated ${evaluations.map(({ name }) => name).join(", ")}`);

  const diagnosis = !options.diagnose ? undefined : await diagnoseQuantized(float, result, {
    ...{ host, signal, statistics, target, options, progress },
    path: evalPath ?? path,
    data: evalPath === undefined ? "calibration" : "evaluation",
  });

  if (diagnosis) progress.step(`diagnosed on ${diagnosis.samples} samples`);

  const files = new Map<string, FileContent>([
    [`${options.out}/model.onnx`, result.model],
    [`${options.out}/manifest.json`, canonicalJson(result.manifest)],
    [`${options.out}/statistics.plim`, result.statistics],
  ]);
  if (result.codes) files.set(`${options.out}/codes.bin`, result.codes);
  if (result.weights.length > 0) files.set(`${options.out}/model.onnx.data`, result.weights);
  if (evaluations) {
    files.set(`${options.out}/evaluation.json`, canonicalJson({ models: evaluations }));
  }
  if (diagnosis) files.set(`${options.out}/diagnosis.json`, canonicalJson(diagnosis));
  files.set(
    `${options.out}/report.html`,
    reportPage({
      title: modelTitle(options.model),
      ...{ manifest: result.manifest, statistics },
      ...(evaluations && { evaluation: evaluations.map((evaluation) => ({ evaluation })) }),
      ...(diagnosis && { diagnosis }),
    }),
  );
  if (monitor) files.set(`${options.out}/convergence.json`, canonicalJson(monitor.record()));
  await host.writeFiles(files);
  const paths = [...files.keys()];
  if (options.json) {
    return host.print(canonicalJson({
      ...{ files: paths, evaluation: evaluations ?? null },
      ...(diagnosis === undefined ? {} : { diagnosis }),
    }));
  }
  const { activations, weights, float: islands, data } = result.manifest;
  host.print(
    `${activations.length} activations and ${weights.length} weight tensors quantized for target ` +
      `${target.name} from ${data.samples} samples; ${islands.length} nodes stay float\n\n` +
      (evaluations === undefined ? "" : accuracyReport(evaluations) + "\n") +
      (diagnosis === undefined ? "" : diagnosisReport(diagnosis, {
        tensors: "worst",
        width: host.terminal?.outputColumns(),
      }) + "\n") +
      `Wrote ${paths.join(", ")}\n`,
  );
}

/**
 * Refuses options about AUTO where nothing is left to it.
 *
 * @throws {PlimsollError} kind `usage`.
 */
function checkAutoBy({ autoBy, autoRuns }: QuantizeCommandOptions, target: Target): void {
  const fail = (wanted: string, found: string, remedy: string) =>
    new PlimsollError("usage", { action: "reading the options", wanted, found, remedy });
  if (autoBy === "error" && autoRuns !== undefined) {
    throw fail("--auto-by output with --auto-runs", "--auto-by error", "Leave --auto-runs out");
  }
  if (autoBy === "output" && !holdsOut({ target })) {
    throw fail(
      "--error auto with --auto-by output",
      `${target.activation.error} for every tensor`,
      "Add --error auto, or leave --auto-by out",
    );
  }
}

interface ComparisonInput extends Pick<Context, "host" | "signal"> {
  readonly statistics: Statistics;
  readonly target: Target;
  readonly evalPath: string;
  readonly options: QuantizeCommandOptions;
}

/** Float, the chosen method and the baseline on the same evaluation data, from one calibration. */
async function compareWithBaseline(
  float: FloatModel,
  result: Quantization,
  { statistics, target, evalPath, options, host, signal }: ComparisonInput,
  progress: ProgressPrinter,
): Promise<ModelEvaluation[]> {
  const { manifest: chosen, codes: file } = result;
  const codes = file &&
    await readCodes(file, { manifest: chosen, model: float.prepared, name: "codes.bin" });
  const models = [
    { name: "float", model: float.original },
    { name: target.activation.error, model: emitModel(float.prepared, chosen, codes) },
  ];
  if (target.activation.error !== BASELINE) {
    const manifest = await decide({
      statistics,
      statisticsSha256: result.manifest.statistics.sha256,
      target: { ...target, activation: { ...target.activation, error: BASELINE } },
      model: float.prepared,
    });
    models.push({ name: BASELINE, model: emitModel(float.prepared, manifest) });
  }
  // --samples limits calibration; the evaluation is always whole.
  const samples = await loadSamples(host, evalPath, { ...options, samples: undefined }, {
    onRead: progress.addBytes,
  });
  return await evaluateModels(models, samples, { batch: options.batch, signal, progress });
}
