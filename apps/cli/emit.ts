/**
 * `emit`: model, manifest → quantized model.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { emitModel } from "../../tpc/emission/emit.ts";
import { PlimsollError } from "../../core/errors.ts";
import type { WeightCodes } from "../../tpc/emission/insert_qdq.ts";
import { type Manifest, parseManifest } from "../../tpc/manifest.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { FileContent, Host } from "../../core/host.ts";
import { readCodes } from "../../pipeline/rounding/codes_file.ts";
import { serialiseFor } from "../../pipeline/quantize/float_model.ts";
import { checkEmitted } from "../../pipeline/verdict/check_emitted.ts";
import { decideWeights } from "../../pipeline/search/decide_weights.ts";
import type { Context } from "./context.ts";
import { loadModel } from "./inputs.ts";
import { readJson, sibling } from "./files.ts";
import {
  addModelOptions,
  addOutputOptions,
  type ModelOptions,
  type OutputOptions,
} from "./options.ts";

interface EmitCommandOptions extends ModelOptions, OutputOptions {
  model?: string;
  manifest: string;
  codes?: string;
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
  command.option(
    "--codes <file>",
    "codes of weights that aren't rounded to the nearest ones (default: codes.bin beside the manifest)",
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
  const codes = manifest.codes && await loadCodes(host, options, manifest, float.prepared);
  const emitted = emitModel(float.prepared, decideWeights(manifest, float.prepared), codes);
  await checkEmitted({ original: float.original, emitted, manifest });
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

async function loadCodes(
  host: Host,
  options: EmitCommandOptions,
  manifest: Manifest,
  model: Model,
): Promise<WeightCodes> {
  const name = options.codes ?? sibling(options.manifest, "codes.bin");
  return await readCodes(await host.readFile(name), { manifest, model, name });
}
