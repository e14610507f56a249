/**
 * `inspect`: what is in a model, a statistics file or a manifest.
 *
 * @module
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import type { MethodChoice } from "../../core/types.ts";
import { parseManifest } from "../../tpc/manifest.ts";
import { quantizedNodes } from "../../onnx/quantized/codes.ts";
import { matchesPattern } from "../../tpc/placement/overrides.ts";
import type { Host } from "../../core/host.ts";
import type { Selection } from "../../pipeline/inspect/selection.ts";
import { readPlim } from "../../pipeline/statistics/plim.ts";
import type { Context } from "./context.ts";
import { readJson } from "./files.ts";
import { inputShape, inspectFusion } from "./inspect_fusion.ts";
import { inspectModel, inspectQuantized } from "./inspect_model.ts";
import type { Inspection } from "./inspection.ts";
import { inspectManifest, inspectStatistics } from "./inspect_tensors.ts";
import { loadModel, loadRecipe } from "./inputs.ts";
import { takeLists } from "./list_options.ts";
import {
  addOutputOptions,
  addTargetOptions,
  type OutputOptions,
  type TargetOptions,
} from "./options.ts";
import { SEARCHED_WISHES } from "./wish_options.ts";

interface InspectOptions extends Omit<TargetOptions, "error">, OutputOptions {
  fusion?: boolean;
  inputShape?: Map<string, number[]>;
  name: string[];
  op: string[];
  error?: MethodChoice[];
  histogram?: boolean;
  counts: "log" | "linear";
  statistics?: string;
}

/** Adds the command to the program. */
export function addInspectCommand(program: Command, context: Context): void {
  const command = program.command("inspect")
    .description("show what is in a model, float or quantized, a statistics file or a manifest")
    .argument("[file]", "*.onnx, *.plim or *.json (default: the demo's model)");
  takeLists(addTargetOptions(command, SEARCHED_WISHES), ["error"]);
  addOutputOptions(command)
    .option(
      "--name <pattern>",
      "only layers and tensors of this name: * stands for anything, /…/ is a regular expression; repeatable",
      pattern,
      [],
    )
    .option(
      "--op <pattern>",
      "only layers of this operator, as Clip or 'Conv*'; repeatable",
      pattern,
      [],
    )
    .option(
      "--histogram",
      "draw the distribution of each tensor of a statistics file or manifest (default: when one is selected)",
    )
    .addOption(
      new Option("--counts <scale>", "how the bars of a histogram grow").choices(["log", "linear"])
        .default("log"),
    )
    .option(
      "--statistics <file>",
      "statistics behind a manifest, for its histograms (default: statistics.plim beside it)",
    )
    .option(
      "--fusion",
      "run a model once and show which kernels ran, and why some are float (default: out/model.onnx)",
    )
    .option(
      "--input-shape <name:shape>",
      "shape of an input for --fusion, as image:1x3x224x224; repeatable (default: as declared, 1 where dynamic)",
      inputShape,
    )
    .addHelpText(
      "after",
      `
Of one selected layer everything is shown: its quantizers in a quantized model, the distribution with
the thresholds of the methods that --error names in a statistics file.

Examples:
  deno task inspect                                     layers of the demo model, and what would become of them
  deno task inspect m.onnx --op Clip                    the ReLU6 of a model
  deno task inspect out/model.onnx --name '*features.8*'   quantizers of some layers of a quantized model
  deno task inspect out/statistics.plim --name image --error mse,noclipping
  deno task inspect out/manifest.json                   thresholds
  deno task inspect --fusion m.onnx                     which kernels the runtime takes for a quantized model
`,
    )
    .action((file: string | undefined, options: InspectOptions) => run(file, options, context));
}

async function run(
  file: string | undefined,
  options: InspectOptions,
  { host }: Context,
): Promise<void> {
  const { value, text } = await inspect(host, file, options);
  host.print(options.json ? canonicalJson(value) : text);
}

async function inspect(
  host: Host,
  file: string | undefined,
  options: InspectOptions,
): Promise<Inspection> {
  if (options.fusion) {
    return await inspectFusion(host, file ?? "out/model.onnx", options.inputShape);
  }
  const selection: Selection = { names: options.name, operators: options.op };
  const width = host.terminal?.outputColumns();
  if (file?.endsWith(".json")) {
    const manifest = parseManifest(await readJson(host, file), file);
    return await inspectManifest(host, manifest, { ...options, file, selection, width });
  }
  const { error = [], ...rest } = options;
  if (file?.endsWith(".plim")) {
    const statistics = await readPlim(await host.readFile(file), file);
    const { target } = await loadRecipe(host, rest);
    return inspectStatistics(statistics, target, { ...options, error, file, selection, width });
  }
  if (error.length > 1) {
    throw new PlimsollError("usage", {
      action: "inspecting a model",
      wanted: "one --error",
      found: error.join(","),
      remedy: "Give several methods with a statistics file, which has what they choose by",
    });
  }
  const { original, prepared } = await loadModel(host, file, { quantized: "keep" });
  const name = file ?? "the demo's model";
  if (quantizedNodes(original.graph).length > 0) {
    const fileBytes = file === undefined ? undefined : await host.fileSize(file);
    return inspectQuantized(original, { name, fileBytes, selection, width });
  }
  const { target } = await loadRecipe(host, { ...rest, error: error[0] });
  return inspectModel(prepared, target, { name, selection, width });
}

function pattern(text: string, before: string[]): string[] {
  try {
    matchesPattern(text, "");
  } catch (cause) {
    throw new InvalidArgumentError(`${(cause as Error).message}.`);
  }
  return [...before, text];
}
