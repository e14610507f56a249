/**
 * `compare`: model, data, several methods, bits, targets → a quantized model for each, and what each is worth.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { commandLineWording } from "../../core/option_words.ts";
import { compareModels } from "../../pipeline/compare/comparison.ts";
import { LISTED, MAX_VARIANTS } from "../../pipeline/compare/variants.ts";
import type { Host } from "../../core/host.ts";
import { evaluateVariants } from "../../pipeline/evaluate/evaluate_variants.ts";
import { serialiseFor } from "../../pipeline/quantize/float_model.ts";
import { PASS_NAMES } from "../../pipeline/quantize/plan_passes.ts";
import { type Pass, quantizeAll } from "../../pipeline/quantize/quantize.ts";
import { comparisonReport } from "../../pipeline/report/comparison.ts";
import { frontReport } from "../../pipeline/report/plan.ts";
import { withLatencies } from "../../pipeline/plan/plan.ts";
import {
  bytesOf,
  describeComparison,
  filesOf,
  reportsOf,
  statisticsName,
} from "./compare_files.ts";
import {
  loadFrontRecipe,
  loadVariants,
  type VariantOptions,
  variantsOfFront,
} from "./compare_variants.ts";
import { limitsOf, lossesOfEvaluation } from "../../pipeline/verdict/limits.ts";
import { type Context, EXIT_LOST } from "./context.ts";
import {
  checkReadable,
  dataPath,
  loadModel,
  loadSamples,
  modelTitle,
  samplesAt,
  takenBy,
} from "./inputs.ts";
import { judgedSamples } from "./judged_samples.ts";
import { takeLists } from "./list_options.ts";
import {
  addDataOptions,
  addOutputOptions,
  addTargetOptions,
  type DataOptions,
  type OutputOptions,
} from "./options.ts";
import { folder, positiveInteger } from "./option_values.ts";
import { addFrontOptions, type FrontOptions, frontWish } from "./plan_options.ts";
import { ProgressPrinter } from "./progress.ts";
import {
  addQueueOptions,
  checkQueue,
  type QueuedRun,
  type QueueOptions,
  withQueue,
} from "./queue_options.ts";
import { RunRecord } from "./run_record.ts";
import { asLists, EVERY_WISH } from "./wish_options.ts";
import { addWorkersOption, prepareWork, type WorkOptions } from "./work_options.ts";

interface CompareCommandOptions
  extends
    DataOptions,
    VariantOptions,
    Pick<WorkOptions, "workers" | "onNonfinite">,
    OutputOptions,
    QueueOptions,
    FrontOptions {
  model?: string;
  evalData?: string;
  evalSamples?: number;
  accept?: boolean;
  out: string;
}

/** Adds the command to the program. */
export function addCompareCommand(program: Command, context: Context): void {
  const command = program.command("compare")
    .description(
      "quantize a model in several ways from as few passes as can be, and evaluate them side by side",
    )
    .option(
      "--model <file>",
      "float ONNX model (default: the demo's, MobileNetV2-style on Fashion-MNIST)",
    );
  addTargetOptions(addDataOptions(command, "calibration samples"), EVERY_WISH);
  takeLists(asLists(command), LISTED);
  addWorkersOption(
    addQueueOptions(addOutputOptions(addFrontOptions(command)))
      .option("--resume", "with --queue: go on with what shards have given")
      .option(
        "--eval-data <path>",
        "samples to compare on, best with labels (default: the demo's, else the calibration samples)",
      )
      .option("--eval-samples <n>", "compare on at most this many samples", positiveInteger),
  )
    .addOption(
      new Option("--on-nonfinite <policy>", "what becomes of a sample that makes NaN or infinity")
        .choices(["fail", "skip"]).default("fail"),
    )
    .option("--accept", "end with 0 whatever the verdicts: 3 where a variant lost what it is for")
    .option("--out <folder>", "where the results go", folder, "out/compare")
    .addHelpText(
      "after",
      `
Options with ,… take several values; every combination is a variant, ${MAX_VARIANTS} at most. Where nothing
differs, --error is mse,noclipping.

With --plan the variants are points of a front: costs and losses of all layers are measured once, and models
are planned with the least loss for less and less time, or size where nobody knows times. The table has what
was expected of each beside what was measured, and every report the whole front as a picture.

Examples:
  deno task compare                                   the demo: MSE and no clipping
  deno task compare --error mse,kl,noclipping --bits 8,4
  deno task compare --target onnxruntime --bias-correction yes,no --equalize no,yes
  deno task compare --model m.onnx --data images/ --eval-data val/ --target default,onnxruntime
  deno task compare --plan --target onnxruntime-web   loss against time, 5 models from integers to floats
  deno task compare --plan --target imx500 --plan-points 8      loss against bits

Writes a folder with model.onnx and manifest.json for each variant, the statistics of each calibration
pass, and comparison.json; with --plan also plan.json for each, sensitivity.json and costs.json.
`,
    )
    .action((options: CompareCommandOptions) =>
      withQueue(options, context, (queued) => run(options, context, queued))
    );
}

async function run(
  options: CompareCommandOptions,
  context: Context,
  queued: QueuedRun,
): Promise<void> {
  const { host, screen, signal } = context;
  checkQueue(options);
  const { model, out } = options;
  const progress = new ProgressPrinter(screen, options);
  const record = new RunRecord(context);
  const wish = await frontWish(host, options);
  const drawn = wish && await loadFrontRecipe(host, options);
  const { variants: listed, leftOut } = drawn === undefined
    ? await loadVariants(host, options)
    : { variants: [], leftOut: [] };
  for (const { name, reason } of leftOut) progress.note(`left out ${name}: ${reason}`);
  const recipes = drawn === undefined
    ? listed.map(({ recipe }) => recipe)
    : [{ ...drawn.recipe, ...wish }];
  const float = await loadModel(host, model, {
    requantize: recipes[0].requantize,
  });
  const outputs = ["comparison.json", "run.json", ...(wish ? ["sensitivity.json"] : [])];
  for (const name of outputs) await host.checkWritable(`${out}/${name}`);
  const path = dataPath(host, { data: options.data, model, role: "calibration" });
  const evalPath = evaluationPath(host, options, path, progress);
  await checkReadable(host, evalPath);

  const { workers, onNonfinite } = options;
  const { queueName } = options;
  const work = await prepareWork(host, { workers, onNonfinite, queueName, every: 1 }, {
    model: float.sha256,
    progress,
  });
  const reading = {
    ...options,
    recipePreprocessing: recipes[0].preprocessing,
    ...takenBy(host, float.original, { path: model, ...options }),
  };
  const hooks = { onRead: progress.addBytes };
  const elsewhere = await queued.submit({
    float,
    path,
    reading,
    progress,
    model,
    data: options.data,
    requantize: recipes[0].requantize,
    wishes: [recipes, onNonfinite],
  });
  const statistics: Uint8Array<ArrayBuffer>[] = [];
  const results = await quantizeAll(
    float,
    recipes,
    samplesAt(host, path, reading, hooks),
    {
      ...work,
      elsewhere,
      signal,
      batch: options.batch,
      wording: commandLineWording,
      ...(wish && {
        judgeOn: judgedSamples(host, {
          path,
          limit: reading.samples,
          evalPath: evalPath === path ? undefined : evalPath,
          reading,
        }),
      }),
      onEvent: async (event) => {
        if (event.kind === "progress") progress.report(event.progress);
        if (event.kind === "pass") announce(event.pass, progress);
        if (event.kind === "note") progress.note(event.text);
        if (event.kind === "made") progress.note(`made ${event.result.name}`);
        if (event.kind === "sensitivity") {
          const file = canonicalJson(event.sensitivity);
          await host.writeFiles(new Map([[`${out}/sensitivity.json`, file]]));
        }
        if (event.kind !== "calibrated") return;
        statistics.push(event.file);
        const { number, count } = event.pass;
        context.saved = `${out}/${statisticsName(number - 1, count)}`;
        await host.writeFiles(new Map([[context.saved, event.file]]));
      },
    },
  );
  const variants = drawn === undefined ? listed : variantsOfFront(results, drawn.settings);
  let source = "";
  const measured = await evaluateVariants(
    { name: "float", model: float.original },
    results.map(({ name, emitted }) => ({ name, model: emitted })),
    {
      signal,
      batch: options.batch,
      onProgress: progress.report,
      // A pipe can't be read again.
      ...(evalPath === "-" ? { openSessions: MAX_VARIANTS } : {}),
      open: async () => {
        const isCalibration = options.evalData === undefined && evalPath === path;
        const samples = options.evalSamples ?? (isCalibration ? options.samples : undefined);
        const loaded = await loadSamples(host, evalPath, { ...reading, samples }, hooks);
        source = loaded.source;
        return loaded;
      },
    },
  );
  const sizes = [
    serialiseFor(float, float.original),
    ...results.map(({ model: file, weights }) => ({
      file,
      weights,
    })),
  ].map(bytesOf);
  const comparison = compareModels(
    measured.map((entry, i) => ({ ...entry, bytes: sizes[i] })),
  );
  const result = describeComparison({
    float,
    leftOut,
    source,
    comparison,
    statistics,
    planned: variants,
    quantized: results,
  });
  record.finish({ model: model ?? modelTitle(model), data: path, evaluation: evalPath });
  const files = filesOf(out, variants, results, statistics);
  files.set(`${out}/run.json`, record.json());
  const latencies = measured.map(({ latency }) => latency);
  const pages = await reportsOf(out, variants, results, {
    latencies: latencies.slice(1),
    title: modelTitle(model),
    comparison,
    statistics,
    run: record.value(),
  });
  for (const [path, page] of pages) files.set(path, page);
  files.set(`${out}/comparison.json`, canonicalJson(result));
  await host.writeFiles(files);
  const lost = measured.slice(1).map(({ evaluation }, i) => ({
    name: evaluation.name,
    lost: lossesOfEvaluation(measured[0].evaluation, evaluation, limitsOf(variants[i].recipe)),
  })).filter((entry) => entry.lost.length > 0);
  if (lost.length > 0 && !options.accept) context.exitCode = EXIT_LOST;
  const latency = measured.map(({ evaluation: { name }, ...entry }) => ({
    name,
    milliseconds: entry.milliseconds,
    ratio: entry.latency,
  }));
  if (options.json) {
    return host.print(canonicalJson({ files: [...files.keys()], ...result, latency, lost }));
  }
  const table = comparisonReport({ ...comparison, latency: latencies });
  const front = results[0].plan === undefined
    ? ""
    : `\n${frontReport(withLatencies(results[0].plan, latencies.slice(1)))}`;
  const verdicts = lost.map(({ name, lost }) =>
    `${name} lost what it is for: ${
      lost.map(({ output, what }) => `${output}: ${what}`).join("; ")
    }\n`
  ).join("");
  host.print(
    `${table}${front}\n${
      verdicts === "" ? "" : `${verdicts}\n`
    }Wrote ${files.size} files into ${out}\n`,
  );
}

/** Where samples to compare on come from; without any, from the calibration, which is said. */
function evaluationPath(
  host: Host,
  { model, data, evalData }: CompareCommandOptions,
  calibration: string,
  progress: ProgressPrinter,
): string {
  if (evalData !== undefined) return evalData;
  if (model === undefined && data === undefined) return dataPath(host, { role: "evaluation" });
  if (calibration === "-") {
    throw new PlimsollError("usage", {
      action: "reading the options",
      wanted: "samples to compare on",
      found: "standard input, which the calibration reads",
      remedy: "Name them with --eval-data",
    });
  }
  progress.note("no --eval-data: compared on the calibration samples, which flatters all variants");
  return calibration;
}

/** Variants that are named when a pass begins. */
const MAX_NAMED = 4;

/** Says which variants a pass is for. */
function announce({ stage, number, count, variants }: Pass, progress: ProgressPrinter): void {
  const left = variants.length - MAX_NAMED;
  const names = variants.slice(0, MAX_NAMED).join(", ") + (left > 0 ? ` and ${left} more` : "");
  progress.note(`${PASS_NAMES[stage].replace(/^an? /, "")} ${number} of ${count}, for ${names}`);
}
