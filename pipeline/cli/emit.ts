/**
 * `emit`: model, manifest → quantized model.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../tpc/core/canonical_json.ts";
import { emitModel } from "../../tpc/emit.ts";
import { PlimsollError } from "../../tpc/core/errors.ts";
import { parseManifest } from "../../tpc/manifest.ts";
import type { FileContent } from "../core/host.ts";
import { serialiseFor } from "../quantize.ts";
import { decideWeights } from "../search/decide_weights.ts";
import type { Context } from "./context.ts";
import { loadModel } from "./inputs.ts";
import { readJson } from "./files.ts";
import {
  addModelOptions,
  addOutputOptions,
  type ModelOptions,
  type OutputOptions,
} from "./options.ts";

interface EmitCommandOptions extends ModelOptions, OutputOptions {
  model?: string;
  manifest: string;
  out: string;
}

/** Adds the command to the program. */
export function addEmitCommand(program: Command, context: Context): void {
  const command = program.command("emit")
    .description("write the quantized model that a manifest describes")
    .option(
      "--model <file>",
      "float ONNX model that the manifest was made for (default: the demo's)",
    )
    .option(
      "--manifest <file>",
      "the manifest; thresholds edited by hand are honoured",
      "out/manifest.json",
    );
  addOutputOptions(addModelOptions(command))
    .option("--out <file>", "the quantized model", "out/model.onnx")
    .addHelpText(
      "after",
      `
Examples:
  deno task emit
  deno task emit --model m.onnx --manifest m6.json --out m6.onnx
`,
    )
    .action((options: EmitCommandOptions) => run(options, context));
}

async function run(options: EmitCommandOptions, { host }: Context): Promise<void> {
  const manifest = parseManifest(await readJson(host, options.manifest), options.manifest);
  const float = await loadModel(host, options.model, { ...options, rewrites: manifest.rewrites });
  if (float.sha256 !== manifest.model.sha256) {
    throw new PlimsollError("model", {
      action: `emitting from ${JSON.stringify(options.manifest)}`,
      wanted: `the model with SHA-256 ${manifest.model.sha256}`,
      found: `one with ${float.sha256}`,
      remedy: "Name the model that was calibrated with --model",
    });
  }
  const location = `${options.out.split(/[/\\]/).at(-1)}.data`;
  const emitted = emitModel(float.prepared, decideWeights(manifest, float.prepared));
  const { file: model, weights } = serialiseFor(float, emitted, location);
  const files = new Map<string, FileContent>([[options.out, model]]);
  if (weights.length > 0) files.set(`${options.out}.data`, weights);
  await host.writeFiles(files);
  host.print(
    options.json
      ? canonicalJson({ file: options.out, bytes: model.length })
      : `Wrote ${options.out} (${model.length} bytes)\n`,
  );
}
