/**
 * Which constants float16 can hold, and how precise those are that are stored in fewer bytes.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { decibels } from "../../core/portable_math.ts";
import { fromHalf, MAX_HALF, toHalf } from "../../onnx/file/half.ts";
import type { Model } from "../../onnx/file/model.ts";
import { dimensions, elementCount, floatData } from "../../onnx/file/tensor.ts";
import { quantizeRows } from "../../onnx/quantized/quantize_rows.ts";
import type { Manifest, ManifestStored } from "../../tpc/manifest.ts";
import type { StoredPlan } from "../../tpc/placement/types.ts";

/**
 * SQNR in dB below which float16 loses too much of a tensor: rounding to its 11 bits leaves 73 dB, less means that much
 * of what the tensor holds lies below 2^−14, where steps no longer shrink with the numbers, or is 0.
 */
const LEAST_SQNR = 60;

/** A constant of the manifest before anybody has looked at its numbers. */
export function describeStored({ tensor, type, reason }: StoredPlan): ManifestStored {
  // Whether float16 can hold it, only its numbers say.
  return { tensor, ...(type === "float16" ? {} : { type }), reason: [reason] };
}

/**
 * Fills in what constants are stored in, where that isn't known yet, and how precisely.
 *
 * @throws {PlimsollError} kind `model` when it isn't the model of the manifest.
 */
export function decideStored(manifest: Manifest, { graph }: Model): Manifest {
  if (manifest.stored === undefined) return manifest;
  const tensors = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const stored = manifest.stored.map((entry) => {
    if (entry.sqnr !== undefined) return entry;
    const tensor = tensors.get(entry.tensor);
    const data = tensor && floatData(tensor);
    if (tensor === undefined || data === undefined) {
      throw new PlimsollError("model", {
        action: "looking at constants to store",
        wanted: `float32 constant ${JSON.stringify(entry.tensor)}, as in the manifest`,
        found: "a model without it",
        remedy: "Give the model that the manifest was made for",
      });
    }
    return entry.type === "int8" ? rows(entry, data, dimensions(tensor)) : half(entry, data);
  });
  return { ...manifest, stored };
}

function rows(entry: ManifestStored, data: Float32Array, dims: readonly number[]): ManifestStored {
  const size = dims.at(-1)!;
  const { codes, scales } = quantizeRows(data, [elementCount(dims.slice(0, -1)), size]);
  return { ...entry, sqnr: sqnrOf(data, (i) => codes[i] * scales[Math.floor(i / size)]) };
}

function half(entry: ManifestStored, data: Float32Array): ManifestStored {
  const largest = data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const sqnr = sqnrOf(data, (i) => fromHalf(toHalf(data[i])));
  const stays = (why: string) => ({
    ...entry,
    type: "float32" as const,
    sqnr: null,
    reason: [`stays float32: ${why}`],
  });
  if (!(largest <= MAX_HALF)) {
    return stays(`its largest magnitude is ${largest}, and float16 ends at ${MAX_HALF}`);
  }
  if (sqnr !== null && sqnr < LEAST_SQNR) {
    return stays(
      `in float16 it would keep ${
        sqnr.toFixed(1)
      } dB (at least ${LEAST_SQNR}), since most of it is ` +
        "so small that float16 has few digits for it",
    );
  }
  return { ...entry, type: "float16", sqnr };
}

/** 10·log10(Σx² / Σ(y − x)²); null when it isn't finite. */
function sqnrOf(data: Float32Array, restored: (i: number) => number): number | null {
  let [signal, noise] = [0, 0];
  data.forEach((x, i) => {
    signal += x * x;
    noise += (restored(i) - x) ** 2;
  });
  const sqnr = decibels(signal / noise);
  return Number.isFinite(sqnr) ? sqnr : null;
}
