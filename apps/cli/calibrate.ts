/**
 * `calibrate`: model, data, target → statistics file.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { calibrateFor } from "../../pipeline/quantize/quantize.ts";
import { Stopwatch } from "../../core/timing.ts";
import type { Context } from "./context.ts";
import { dataPath, loadModel, loadRecipe, samplesAt, takenBy } from "./inputs.ts";
import { sibling } from "./files.ts";
import {
  addDataOptions,
  addOutputOptions,
  addTargetOptions,
  type DataOptions,
  type OutputOptions,
  type TargetOptions,
} from "./options.ts";
import { positiveInteger } from "./option_values.ts";
import { ProgressPrinter } from "./progress.ts";
import { type QueuedRun, withQueue } from "./queue_options.ts";
import { watchThresholds } from "./watch_thresholds.ts";
import { CALIBRATED_WISHES } from "./wish_options.ts";
import { modelStep, targetStep } from "../../pipeline/report/steps.ts";
import { addWorkOptions, checkWork, prepareWork, type WorkOptions } from "./work_options.ts";

interface CalibrateCommandOptions extends DataOptions, TargetOptions, WorkOptions, OutputOptions {
  model?: string;
  untilStable?: number;
  out: string;
}

/** Adds the command to the program. */
export function addCalibrateCommand(program: Command, context: Context): void {
  const command = program.command("calibrate")
    .description("stream samples through a float model and write the statistics of its activations")
    .option("--model <file>", "float ONNX model (default: the demo's)");
  addOutputOptions(
    addWorkOptions(
      addTargetOptions(addDataOptions(command, "calibration samples"), CALIBRATED_WISHES),
    ),
  )
    .option(
      "--until-stable <n>",
      "stop when no threshold has changed for n batches; writes convergence.json beside, too",
      positiveInteger,
    )
    .option("--out <file>", "the statistics file", "out/statistics.plim")
    .addHelpText(
      "after",
      `
Examples:
  deno task calibrate
  deno task calibrate --model m.onnx --data images-idx3-ubyte.gz --out m.plim
  deno task calibrate --workers 2 --checkpoint c.plim     and with --resume after a crash
`,
    )
    .action((options: CalibrateCommandOptions) =>
      withQueue(options, context, (queued) => run(options, context, queued))
    );
}

async function run(
  options: CalibrateCommandOptions,
  context: Context,
  queued: QueuedRun,
): Promise<void> {
  const { host, screen, signal } = context;
  checkWork(options);
  const progress = new ProgressPrinter(screen, options);
  const { recipe, samples } = await loadRecipe(host, options);
  const float = await loadModel(host, options.model, { requantize: recipe.requantize });
  await host.checkWritable(options.out);
  await host.checkWritable(sibling(options.out, "convergence.json"));
  const path = dataPath(host, { data: options.data, model: options.model, role: "calibration" });
  const work = await prepareWork(host, options, { model: float.sha256, progress });
  context.kept = options.checkpoint;
  const watch = new Stopwatch();
  const watching = watchThresholds({ ...options, progress });
  const reading = {
    ...options,
    samples: options.samples ?? samples,
    recipePreprocessing: recipe.preprocessing,
    ...takenBy(host, float.original, { path: options.model, ...options }),
  };
  const opener = samplesAt(host, path, reading, { watch, onRead: progress.addBytes });
  const elsewhere = await queued.submit({
    float,
    path,
    reading,
    progress,
    model: options.model,
    data: options.data,
    requantize: recipe.requantize,
    wishes: [recipe, options.onNonfinite],
  });
  const { statistics, file } = await calibrateFor(float, recipe, opener, {
    ...work,
    elsewhere,
    signal,
    batch: options.batch,
    onTime: watch.add,
    watch: watching.watch,
    onEvent: (event) => {
      if (event.kind === "progress") progress.report(event.progress);
      if (event.kind !== "prepared") return;
      for (const note of event.float.notes) progress.note(note);
      progress.step(modelStep(event.float));
      progress.step(targetStep(event.target));
    },
  });
  progress.step(`calibrated: ${watch}`);
  const files = new Map<string, Uint8Array | string>([[options.out, file]]);
  const convergence = watching.record();
  if (convergence) files.set(sibling(options.out, "convergence.json"), canonicalJson(convergence));
  await host.writeFiles(files);
  const { data, tensors } = statistics;
  host.print(
    options.json
      ? canonicalJson({ file: options.out, data, tensors: tensors.length })
      : `Statistics of ${tensors.length} tensors from ${data.samples} samples\nWrote ${options.out}\n`,
  );
}
