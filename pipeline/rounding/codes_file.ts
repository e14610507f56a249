/**
 * The file of codes beside a manifest whose weights weren't rounded to the nearest ones: a byte a weight, tensor after
 * tensor in the order of the manifest, row-major. A byte below zero is written modulo 256.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { WeightCodes } from "../../tpc/emission/insert_qdq.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import type { Model } from "../../onnx/file/model.ts";
import { dimensions, elementCount } from "../../onnx/file/tensor.ts";
import { sha256 } from "../../core/hash.ts";

/** The manifest with the hash of its codes, and the codes as a file. */
export async function writeCodes(
  manifest: Manifest,
  codes: WeightCodes,
): Promise<{ manifest: Manifest; file: Uint8Array<ArrayBuffer> }> {
  const parts = rounded(manifest).map(({ node }) => Uint8Array.from(codes.get(node)!));
  const file = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.length;
  }
  return { manifest: { ...manifest, codes: { sha256: await sha256(file) } }, file };
}

/**
 * Reads the codes of a manifest.
 *
 * @param model The prepared model, which knows how many weights there are.
 * @param name How error messages call the file.
 * @throws {PlimsollError} kind `input` when the file isn't the one of the manifest, or has no code for each weight.
 */
export async function readCodes(
  file: Uint8Array,
  { manifest, model, name }: { manifest: Manifest; model: Model; name: string },
): Promise<WeightCodes> {
  const found = await sha256(file);
  const wanted = manifest.codes?.sha256;
  if (found !== wanted) {
    throw new PlimsollError("input", {
      action: `reading codes ${JSON.stringify(name)}`,
      wanted: `the file with SHA-256 ${wanted}, as the manifest says`,
      found: `one with ${found}`,
      remedy: "Give the file that was written with the manifest",
    });
  }
  const sizes = new Map(
    model.graph.initializer.map((tensor) => [tensor.name, elementCount(dimensions(tensor))]),
  );
  const total = rounded(manifest).reduce((sum, { tensor }) => sum + (sizes.get(tensor) ?? NaN), 0);
  if (total !== file.length) {
    throw new PlimsollError("input", {
      action: `reading codes ${JSON.stringify(name)}`,
      wanted: Number.isNaN(total)
        ? "codes of weights that the model has"
        : `a byte for each of ${total} weights of the manifest`,
      found: `${file.length} bytes`,
      remedy: "Give the model, manifest and codes that were written together",
    });
  }
  const codes = new Map<string, Int16Array>();
  let offset = 0;
  for (const { node, tensor, storage } of rounded(manifest)) {
    const bytes = file.subarray(offset, offset += sizes.get(tensor)!);
    codes.set(node, Int16Array.from(storage.startsWith("u") ? bytes : Int8Array.from(bytes)));
  }
  return codes;
}

/** Weights that aren't rounded to the nearest codes. */
function rounded({ weights }: Manifest) {
  return weights.filter(({ rounding }) => rounding !== undefined);
}
