/**
 * From the manifest to the grid that weights lie on.
 *
 * @module
 */
import { weightCodes } from "../../core/grid.ts";
import type { ManifestWeight } from "../manifest.ts";
import type { WeightGrid } from "../../onnx/quantized/quantize_weights.ts";

/**
 * The grid of a weight tensor of a manifest.
 *
 * @throws {RangeError} when it has no steps yet.
 */
export function weightGrid(weight: ManifestWeight): WeightGrid {
  const { tensor, steps, granularity, axis, blockSize, constraint, bits, storage } = weight;
  if (steps === undefined) throw new RangeError(`Weights ${tensor} have no steps`);
  return {
    ...(granularity === "tensor" ? {} : { axis }),
    ...(blockSize === undefined ? {} : { blockSize }),
    scales: Float32Array.from(steps.scales),
    zeroPoints: steps.zeroPoints ?? steps.scales.map(() => 0),
    codes: weightCodes(constraint, bits, storage),
  };
}
