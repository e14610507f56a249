/**
 * Tables of rows, as embeddings are, in int8.
 *
 * @module
 */
import { LEAST_STEP } from "../../core/grid.ts";
import { elementCount } from "../file/tensor.ts";
import { quantizeWeights } from "./quantize_weights.ts";

/**
 * The nearest codes of a table with one step for each index of its first axis, the least that clips nothing. A search
 * for less error would take seconds for the 30,000 rows of a vocabulary and gain next to nothing at 8 bits.
 *
 * @param bits 2 to 8.
 */
export function quantizeRows(
  data: Float32Array,
  dims: readonly number[],
  bits = 8,
): { codes: Int16Array; scales: Float32Array } {
  const size = elementCount(dims.slice(1));
  // −2^(bits − 1) is left out, so that a grid is symmetric.
  const most = 2 ** (bits - 1) - 1;
  const scales = Float32Array.from({ length: dims[0] }, (_, row) => {
    const largest = data.subarray(row * size, (row + 1) * size)
      .reduce((reach, x) => Math.max(reach, Math.abs(x)), 0);
    // Any step is exact for zeros; a subnormal one would divide by zero.
    return largest / most > LEAST_STEP ? largest / most : 1;
  });
  const codes = quantizeWeights(data, dims, {
    axis: 0,
    scales,
    zeroPoints: new Array(dims[0]).fill(0),
    codes: { min: -most, max: most },
  });
  return { codes, scales };
}
