/**
 * What needs no inference: search and emission from a statistics file. This is all that the small bundle for the edge
 * has.
 *
 * @module
 */
import { canonicalJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { emitModel } from "../../tpc/emission/emit.ts";
import { parseManifest } from "../../tpc/manifest.ts";
import type { ConstantRunner } from "../../onnx/prepare/fold_constants.ts";
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import { sha256 } from "../../core/hash.ts";
import { parseJson } from "../../core/parse_json.ts";
import {
  type FloatModel,
  readFloatModel,
  serialiseFor,
} from "../../pipeline/quantize/float_model.ts";
import { decideFromStatistics } from "../../pipeline/search/decide_from_statistics.ts";
import { decideWeights } from "../../pipeline/search/decide_weights.ts";
import { readPlim } from "../../pipeline/statistics/plim.ts";
import { recipeOf } from "./choices.ts";
import { MEDIA, type Operation, type OperationInput, type ResultFile } from "./operation.ts";
import { modelOptions, resultOptions, targetOptions } from "./options.ts";

/** Constant sub-graphs are computed by the runtime, and here is none. */
const refuseConstants: ConstantRunner = (model) => {
  const ops = [...new Set(model.graph.node.map(({ opType }) => opType))].slice(0, 5).join(", ");
  return Promise.reject(
    new PlimsollError("model", {
      action: "preparing the model",
      wanted: "a model without nodes that compute constants, since no runtime is here",
      found: `such nodes: ${ops}`,
      remedy: "Fold constants when exporting, as onnxsim does, or emit where a runtime is",
    }),
  );
};

/** Reads a model of a request. */
export async function modelOf(
  { files, options }: Pick<OperationInput, "files" | "options">,
  rewrites: Rewrites,
  run: ConstantRunner,
): Promise<FloatModel> {
  const quantized = options.requantize ? "dequantize" : "refuse";
  return await readFloatModel(files.get("model")!, "the model", run, { rewrites, quantized });
}

/** Refuses a model that is not the one that statistics or a manifest speak of. */
function checkSame(float: FloatModel, wanted: string, whose: string): void {
  if (float.sha256 === wanted) return;
  throw new PlimsollError("model", {
    action: `emitting from ${whose}`,
    wanted: `the model with SHA-256 ${wanted}`,
    found: `one with ${float.sha256}`,
    remedy: "Send the model that was calibrated",
  });
}

async function search(input: OperationInput, run: ConstantRunner): Promise<ResultFile[]> {
  const file = input.files.get("statistics")!;
  const statistics = await readPlim(file, "the statistics");
  const resolved = recipeOf(input.options, input.onNote);
  const model = input.files.has("model")
    ? (await modelOf(input, statistics.rewrites, run)).prepared
    : undefined;
  const statisticsSha256 = await sha256(file);
  const manifest = await decideFromStatistics({ statistics, statisticsSha256, resolved, model });
  return [{ ...MEDIA.manifest, bytes: new TextEncoder().encode(canonicalJson(manifest)) }];
}

async function emit(input: OperationInput, run: ConstantRunner): Promise<ResultFile[]> {
  const text = new TextDecoder().decode(input.files.get("manifest"));
  const manifest = parseManifest(parseJson(text, "the manifest"), "the manifest");
  if (manifest.codes !== undefined) {
    throw new PlimsollError("target", {
      action: "emitting from the manifest",
      wanted: "weights that are rounded to the nearest codes",
      found: "a manifest with a file of codes",
      remedy: "Emit it with the command line, where that file is",
    });
  }
  const float = await modelOf(input, manifest.rewrites ?? {}, run);
  checkSame(float, manifest.model.sha256, "the manifest");
  const emitted = emitModel(float.prepared, decideWeights(manifest, float.prepared));
  return [{ ...MEDIA.model, bytes: serialiseFor(float, emitted).file }];
}

/** Model and statistics to manifest and quantized model. */
export async function quantizeStatistics(
  input: OperationInput,
  run: ConstantRunner,
): Promise<ResultFile[]> {
  const file = input.files.get("statistics")!;
  const statistics = await readPlim(file, "the statistics");
  const resolved = recipeOf(input.options, input.onNote);
  const float = await modelOf(input, statistics.rewrites, run);
  checkSame(float, statistics.model.sha256, "the statistics");
  const model = float.prepared;
  const statisticsSha256 = await sha256(file);
  const manifest = await decideFromStatistics({ statistics, statisticsSha256, resolved, model });
  const emitted = serialiseFor(float, emitModel(model, manifest)).file;
  return chosenOf(input, {
    model: emitted,
    manifest: new TextEncoder().encode(canonicalJson(manifest)),
    statistics: file,
  });
}

/** Those files that the request wants. */
export function chosenOf(
  { options: { result = "model" } }: Pick<OperationInput, "options">,
  made: Readonly<Record<keyof typeof MEDIA, Uint8Array<ArrayBuffer>>>,
): ResultFile[] {
  const names = result === "all" ? ["model", "manifest", "statistics"] as const : [result];
  return names.map((name) => ({ ...MEDIA[name], bytes: made[name] }));
}

/**
 * Operations without inference.
 *
 * @param run Computes constant sub-graphs; without one, models that have such are refused.
 */
export function edgeOperations(run: ConstantRunner = refuseConstants): Operation[] {
  const model = { name: "model", description: "The float ONNX model" } as const;
  const statistics = { name: "statistics", description: "A statistics file (.plim)" } as const;
  return [
    {
      path: "/v1/search",
      summary: "Choose thresholds from statistics",
      parts: [statistics, { ...model, isOptional: true }],
      options: { ...targetOptions, ...modelOptions },
      results: [MEDIA.manifest],
      run: (input) => search(input, run),
    },
    {
      path: "/v1/emit",
      summary: "Make the quantized model that a manifest describes",
      parts: [{ name: "manifest", description: "A manifest" }, model],
      options: modelOptions,
      results: [MEDIA.model],
      run: (input) => emit(input, run),
    },
    {
      path: "/v1/quantize",
      summary: "Quantize a model from statistics",
      parts: [model, statistics],
      options: { ...targetOptions, ...modelOptions, ...resultOptions },
      results: [MEDIA.model, MEDIA.manifest, MEDIA.statistics],
      run: (input) => quantizeStatistics(input, run),
    },
  ];
}
