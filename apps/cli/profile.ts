/**
 * `profile`: model, samples, target → costs of its kernels on this machine and runtime.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { Stopwatch } from "../../core/timing.ts";
import { COSTS_SAMPLES, costsOfModel } from "../../pipeline/quantize/costs_of_model.ts";
import { costsReport } from "../../pipeline/report/costs.ts";
import type { Context } from "./context.ts";
import { dataPath, loadModel, loadRecipe, samplesAt, takenBy } from "./inputs.ts";
import { positiveInteger } from "./option_values.ts";
import {
  addDataOptions,
  addOutputOptions,
  addTargetOptions,
  type DataOptions,
  type OutputOptions,
  type TargetOptions,
} from "./options.ts";
import { ProgressPrinter } from "./progress.ts";
import { SEARCHED_WISHES } from "./wish_options.ts";

interface ProfileCommandOptions extends DataOptions, TargetOptions, OutputOptions {
  model?: string;
  runs?: number;
  out: string;
}

/** Adds the command to the program. */
export function addProfileCommand(program: Command, context: Context): void {
  const command = program.command("profile")
    .description("measure what each layer takes with floats and with codes, for --costs of a plan")
    .option("--model <file>", "float ONNX model (default: the demo's)");
  addOutputOptions(addTargetOptions(addDataOptions(command, "samples"), SEARCHED_WISHES))
    .option(
      "--runs <n>",
      "runs of each model that count (default: 15, 120 where the clock is coarse)",
      positiveInteger,
    )
    .option("--out <file>", "the costs", "out/costs.json")
    .addHelpText(
      "after",
      `
Examples:
  deno task profile --model m.onnx --data photos/ --target onnxruntime-web --out costs.json
  deno task quantize --model m.onnx --data photos/ --target onnxruntime-web --costs costs.json
`,
    )
    .action((options: ProfileCommandOptions) => run(options, context));
}

async function run(options: ProfileCommandOptions, context: Context): Promise<void> {
  const { host, screen, signal } = context;
  const progress = new ProgressPrinter(screen, options);
  const loaded = await loadRecipe(host, options);
  const { model } = options;
  const float = await loadModel(host, model, { requantize: loaded.recipe.requantize });
  await host.checkWritable(options.out);
  const path = dataPath(host, { data: options.data, model, role: "calibration" });
  const reading = {
    ...options,
    samples: Math.min(COSTS_SAMPLES, options.samples ?? COSTS_SAMPLES),
    recipePreprocessing: loaded.recipe.preprocessing,
    ...takenBy(host, float.original, { path: model, ...options }),
  };
  const opener = samplesAt(host, path, reading, { watch: new Stopwatch() });
  const costs = await costsOfModel(float, loaded.recipe, opener, {
    runs: options.runs,
    batch: options.batch,
    signal,
    onProgress: progress.report,
  });
  await host.writeFiles(new Map([[options.out, canonicalJson(costs)]]));
  host.print(options.json ? canonicalJson(costs) : `${costsReport(costs)}Wrote ${options.out}\n`);
}
