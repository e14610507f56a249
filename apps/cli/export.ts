/**
 * `export`: manifest → another tool's format.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { EXPORT_FORMATS, EXPORTERS, type ExportFormat } from "../../tpc/exporters/exporters.ts";
import type { InnerTensor } from "../../tpc/exporters/exporter.ts";
import { statically } from "../../tpc/exporters/computed_otherwise.ts";
import { innerTensors } from "../../tpc/exporters/inner_tensors.ts";
import { type Manifest, parseManifest } from "../../tpc/manifest.ts";
import { writeModel } from "../../onnx/file/model.ts";
import { decideWeights } from "../../pipeline/search/decide_weights.ts";
import type { Context } from "./context.ts";
import { loadModel } from "./inputs.ts";
import { readJson } from "./files.ts";
import {
  addModelOptions,
  addOutputOptions,
  type ModelOptions,
  type OutputOptions,
} from "./options.ts";

interface ExportCommandOptions extends ModelOptions, OutputOptions {
  manifest: string;
  format: ExportFormat;
  model?: string;
  prepared?: string;
  out?: string;
}

/** Adds the command to the program. */
export function addExportCommand(program: Command, context: Context): void {
  const formats = Object.entries(EXPORTERS).map(([name, { description, file }]) =>
    `  ${name.padEnd(14)} ${description}; out/${file}\n`
  ).join("");
  const command = program.command("export")
    .description("write the decisions of a manifest in another tool's format")
    .option("--manifest <file>", "the manifest", "out/manifest.json")
    .addOption(
      new Option("--format <name>", "see below").choices(EXPORT_FORMATS).makeOptionMandatory(),
    )
    .option(
      "--model <file>",
      "float model of the manifest: for weight steps that it lacks, tensors that it doesn't name (ort-cache), --prepared",
    )
    .option(
      "--prepared <file>",
      "write the float model that the scales belong to, too: constants and BatchNormalization folded",
    );
  addOutputOptions(addModelOptions(command))
    .option("--out <file>", "the exported file (default: as listed below)")
    .addHelpText(
      "after",
      `
Formats:
${formats}
Names and weights are those of the prepared model: feed the other tool with --prepared's file.
What a format can't hold is said on standard error, or in "notes" with --json.

Examples:
  deno task export --format tensorrt
  deno task export --format aimet-1.0.0 --manifest m.json --model m.onnx --prepared m-float.onnx \\
      --out m.encodings
`,
    )
    .action((options: ExportCommandOptions) => run(options, context));
}

async function run(options: ExportCommandOptions, { host }: Context): Promise<void> {
  const { format } = options;
  const exporter = EXPORTERS[format];
  const out = options.out ?? `out/${exporter.file}`;
  if (options.prepared !== undefined && options.model === undefined) {
    throw new PlimsollError("usage", {
      action: "reading the options",
      wanted: "the float model for --prepared",
      found: "no --model",
      remedy: "Name the model with --model",
    });
  }
  let manifest = parseManifest(await readJson(host, options.manifest), options.manifest);
  let inner: InnerTensor[] | undefined;
  const files = new Map<string, Uint8Array | string>();
  if (options.model !== undefined) {
    const float = await loadModel(host, options.model, { ...options, rewrites: manifest.rewrites });
    checkHash(manifest, float.sha256, options.manifest);
    manifest = decideWeights(manifest, float.prepared);
    inner = innerTensors(manifest.activations, float.prepared.graph);
    if (options.prepared !== undefined) files.set(options.prepared, writeModel(float.prepared));
  }
  const { weights, notes: left } = statically(manifest);
  const exported = exporter.write({
    ...manifest,
    weights,
    ...(inner === undefined ? {} : { inner }),
  });
  const { text } = exported;
  const notes = [...left, ...exported.notes];
  files.set(out, text);
  await host.writeFiles(files);
  if (options.json) return host.print(canonicalJson({ format, files: [...files.keys()], notes }));
  // With --quiet, too: it silences progress, and these are losses.
  for (const note of notes) host.printError(`note: ${note}\n`);
  host.print(`Wrote ${[...files.keys()].join(", ")}\n`);
}

function checkHash(manifest: Manifest, found: string, name: string): void {
  if (found === manifest.model.sha256) return;
  throw new PlimsollError("model", {
    action: `exporting ${JSON.stringify(name)}`,
    wanted: `the model with SHA-256 ${manifest.model.sha256}`,
    found: `one with ${found}`,
    remedy: "Name the model that was calibrated with --model",
  });
}
