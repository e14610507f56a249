/**
 * `inspect`: what is in a model, a statistics file or a manifest.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../tpc/core/canonical_json.ts";
import { parseManifest } from "../../tpc/manifest.ts";
import { outlineGraph } from "../../tpc/onnx/outline.ts";
import { resolve } from "../../tpc/placement/resolve.ts";
import { outlineReport, statisticsReport } from "../report/inspection.ts";
import { thresholdReport } from "../report/thresholds.ts";
import { readPlim } from "../statistics/plim.ts";
import type { Context } from "./context.ts";
import { inputShape, inspectFusion } from "./inspect_fusion.ts";
import { loadModel, loadTarget } from "./inputs.ts";
import { readJson } from "./files.ts";
import {
  addOutputOptions,
  addTargetOptions,
  type OutputOptions,
  type TargetOptions,
} from "./options.ts";

interface InspectCommandOptions extends TargetOptions, OutputOptions {
  fusion?: boolean;
  inputShape?: Map<string, number[]>;
}

/** Adds the command to the program. */
export function addInspectCommand(program: Command, context: Context): void {
  const command = program.command("inspect")
    .description("show what is in a model, a statistics file or a manifest")
    .argument("[file]", "*.onnx, *.plim or *.json (default: the demo's model)");
  addOutputOptions(addTargetOptions(command))
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
Examples:
  deno task inspect                        what would be quantized and fused in the demo model
  deno task inspect out/statistics.plim    what calibration saw
  deno task inspect out/manifest.json      thresholds
  deno task inspect --fusion m.onnx        which kernels the runtime takes for a quantized model
`,
    )
    .action((file: string | undefined, options: InspectCommandOptions) =>
      run(file, options, context)
    );
}

async function run(
  file: string | undefined,
  options: InspectCommandOptions,
  { host }: Context,
): Promise<void> {
  const show = (value: unknown, text: string) =>
    host.print(options.json ? canonicalJson(value) : text);
  if (options.fusion) {
    const { value, text } = await inspectFusion(host, file ?? "out/model.onnx", options.inputShape);
    return show(value, text);
  }
  if (file?.endsWith(".json")) {
    const manifest = parseManifest(await readJson(host, file), file);
    return show(manifest, thresholdReport(manifest));
  }
  if (file?.endsWith(".plim")) {
    const statistics = await readPlim(await host.readFile(file), file);
    const { text, summary } = statisticsReport(statistics);
    return show(summary, text);
  }
  const { prepared } = await loadModel(host, file, { quantized: "keep" });
  const outline = outlineGraph(prepared.graph);
  const placement = resolve(outline, await loadTarget(host, options));
  show({ outline, placement }, outlineReport(outline, placement));
}
