/**
 * Float models as they are read, prepared and written. Needs no inference but for constant sub-graphs, whose runner is
 * given: where there is no runtime, as at the edge, it refuses them.
 *
 * @module
 */
import { dequantizeModel, refuseQuantized } from "../../onnx/prepare/dequantize.ts";
import { readModelWithData, splitWeights } from "../../onnx/file/external_data.ts";
import type { ConstantRunner } from "../../onnx/prepare/fold_constants.ts";
import { type Model, readModel, writeModel } from "../../onnx/file/model.ts";
import { inlineFunctions } from "../../onnx/prepare/inline_functions.ts";
import { prepareModel } from "../../onnx/prepare/prepare.ts";
import { restoreInterface, toSinglePrecision } from "../../onnx/prepare/single_precision.ts";
import { applyRewrites, type Rewrites } from "../../onnx/rewrites/rewrites.ts";
import { sha256 } from "../../core/hash.ts";
import { plainBytes } from "../../core/plain_bytes.ts";

/** A float model, read and prepared. */
export interface FloatModel {
  /** As in the file, in float32 and without local functions; of a model that was quantized, the float one made from it. */
  readonly original: Model;
  /** After the exact rewrites of graph preparation, and of `rewrites`. */
  readonly prepared: Model;
  /** Rewrites beyond graph preparation that were applied. */
  readonly rewrites: Rewrites;
  /** What they did, a sentence each. */
  readonly rewritten: readonly string[];
  /** SHA-256 of the file, and of weights that lie beside it. */
  readonly sha256: string;
  /** Whether weights lie in files beside it; those of the quantized model do then, too. */
  readonly hasExternalData: boolean;
  /** ONNX's numbers of the element types that inputs and outputs have in the file, where `original` has float32 instead. */
  readonly interface: ReadonlyMap<string, number>;
  /** What else became of the file before anything was prepared, a sentence each. */
  readonly notes: readonly string[];
}

/** Options of {@linkcode readFloatModel}. */
export interface LoadOptions {
  /**
   * Reads `length` bytes from `offset` on of a file beside the model, for models whose weights are
   * external data. Without it they are refused.
   */
  readonly readBeside?: (location: string, offset: number, length: number) => Promise<Uint8Array>;
  /**
   * What becomes of a model that is quantized already: it is refused, which is the default; turned back
   * into float, if it is a QDQ model; or kept, which is for looking at it.
   */
  readonly quantized?: "refuse" | "dequantize" | "keep";
  /** Rewrites beyond graph preparation: `rewritesFor(target)`, or those of statistics or a manifest. Default none. */
  readonly rewrites?: Rewrites;
}

/**
 * Reads an ONNX file and prepares it.
 *
 * @param name How error messages call the file.
 * @param run Computes constant sub-graphs.
 * @throws {PlimsollError} kinds `input` and `model`.
 */
export async function readFloatModel(
  file: Uint8Array,
  name: string,
  run: ConstantRunner,
  options: LoadOptions = {},
): Promise<FloatModel> {
  const { readBeside, quantized = "refuse", rewrites = {} } = options;
  file = plainBytes(file);
  const { model, external } = readBeside === undefined
    ? { model: readModel(file, name), external: [] }
    : await readModelWithData(file, name, readBeside);
  if (quantized === "refuse") refuseQuantized(model, name);
  const read = quantized === "dequantize" ? dequantizeModel(model, name) : model;
  const { model: original, interface: types, note } = toSinglePrecision(inlineFunctions(read));
  return await rewriteFloatModel(
    {
      original,
      prepared: original,
      rewrites: {},
      rewritten: [],
      sha256: await hashModel(file, external),
      hasExternalData: external.length > 0,
      interface: types,
      notes: note === undefined ? [] : [note],
    },
    rewrites,
    run,
  );
}

/** SHA-256 of a file; when weights lie in others, of its SHA-256 and those of the weights. */
async function hashModel(file: Uint8Array, external: readonly Uint8Array[]): Promise<string> {
  const hashes = [await sha256(file)];
  for (const data of external) hashes.push(await sha256(data));
  return hashes.length === 1 ? hashes[0] : await sha256(hashes.join("\n"));
}

/** A float model with rewrites instead of those that it has; names and hash stay. */
export async function rewriteFloatModel(
  float: FloatModel,
  rewrites: Rewrites,
  run: ConstantRunner,
): Promise<FloatModel> {
  const { model: prepared, done: rewritten } = applyRewrites(
    await prepareModel(float.original, run),
    rewrites,
  );
  return { ...float, prepared, rewrites, rewritten };
}

/** Tensors of fewer bytes stay in the model, as with `onnx.save` (size_threshold). */
const MIN_OUTSIDE_BYTES = 1024;
/** Name of the file with the weights of a quantized model, when they lie outside. */
const WEIGHTS_FILE = "model.onnx.data";

/**
 * A quantized model as an ONNX file, with inputs and outputs of the float model's types, and with its weights outside when
 * those of the float model are.
 *
 * @param location Name of the file with the weights.
 */
export function serialiseFor(
  { hasExternalData, interface: types }: Pick<FloatModel, "hasExternalData" | "interface">,
  model: Model,
  location = WEIGHTS_FILE,
): { file: Uint8Array<ArrayBuffer>; weights: readonly Uint8Array[] } {
  const restored = restoreInterface(model, types);
  if (!hasExternalData) return { file: writeModel(restored), weights: [] };
  const { model: light, data } = splitWeights(restored, location, MIN_OUTSIDE_BYTES);
  return { file: writeModel(light), weights: data };
}
