/**
 * `calibrate`: model, data, target → statistics file.
 *
 * @module
 */
import { rewritesFor } from "../../tpc/targets/rewrites_for.ts";
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { calibrate } from "../../pipeline/passes/calibrate.ts";
import { ConvergenceMonitor } from "../../pipeline/passes/convergence.ts";
import { writePlim } from "../../pipeline/statistics/plim.ts";
import { Stopwatch } from "../../core/timing.ts";
import type { Context } from "./context.ts";
import { dataPath, loadModel, loadSamples, loadTarget } from "./inputs.ts";
import { sibling } from "./files.ts";
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
import { positiveInteger } from "./option_values.ts";
import { learn } from "./learn.ts";
import { ProgressPrinter } from "./progress.ts";
import { watchThresholds } from "./watch_thresholds.ts";
import { modelStep, targetStep } from "../../pipeline/report/steps.ts";
import { addWorkOptions, checkWork, prepareWork, type WorkOptions } from "./work_options.ts";

interface CalibrateCommandOptions
  extends DataOptions, TargetOptions, ModelOptions, WorkOptions, OutputOptions {
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
      addModelOptions(addTargetOptions(addDataOptions(command, "calibration samples"))),
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
    .action((options: CalibrateCommandOptions) => run(options, context));
}

async function run(options: CalibrateCommandOptions, context: Context): Promise<void> {
  const { host, screen, signal } = context;
  checkWork(options);
  const progress = new ProgressPrinter(screen, options);
  const target = await loadTarget(host, options);
  const loaded = await loadModel(host, options.model, {
    ...options,
    rewrites: rewritesFor(target),
  });
  await host.checkWritable(options.out);
  const path = dataPath(host, { data: options.data, model: options.model, role: "calibration" });
  const { prepared, rewrites, sha256: modelSha256 } = await learn(loaded, {
    ...{ ...context, target, options, progress, path },
  });
  progress.step(modelStep({ ...loaded, prepared }));
  progress.step(targetStep(target));
  const work = await prepareWork(host, options, { model: modelSha256, progress });
  context.kept = options.checkpoint;
  const watch = new Stopwatch();
  const { samples, count, identity, preprocessing } = await loadSamples(host, path, options, {
    skip: work.skip,
    watch,
    onRead: progress.addBytes,
  });
  const monitor = options.untilStable === undefined
    ? undefined
    : new ConvergenceMonitor(prepared, target, options.untilStable);
  const statistics = await calibrate(samples, {
    ...{ modelSha256, rewrites, target, signal, preprocessing, source: identity, ...work.options },
    total: work.left(count),
    model: prepared,
    batch: options.batch,
    onTime: watch.add,
    ...watchThresholds({ model: prepared, target, progress, monitor, workers: options.workers }),
  });
  progress.step(`calibrated: ${watch}`);
  const files = new Map<string, Uint8Array | string>([[options.out, await writePlim(statistics)]]);
  if (monitor) files.set(sibling(options.out, "convergence.json"), canonicalJson(monitor.record()));
  await host.writeFiles(files);
  const { data, tensors } = statistics;
  host.print(
    options.json
      ? canonicalJson({ file: options.out, data, tensors: tensors.length })
      : `Statistics of ${tensors.length} tensors from ${data.samples} samples\nWrote ${options.out}\n`,
  );
}
