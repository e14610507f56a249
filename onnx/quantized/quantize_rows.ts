/**
 * Tables of rows, as embeddings are, in int8.
 *
 * @module
 */
import { elementCount } from "../file/tensor.ts";
import { quantizeWeights } from "./quantize_weights.ts";

/** Largest code; −128 is left out, so that a grid is symmetric. */
const MOST = 127;

/**
 * The nearest codes of a table with one step for each index of its first axis, the least that clips nothing. A search
 * for less error would take seconds for the 30,000 rows of a vocabulary and gain next to nothing at 8 bits.
 */
export function quantizeRows(
  data: Float32Array,
  dims: readonly number[],
): { codes: Int16Array; scales: Float32Array } {
  const size = elementCount(dims.slice(1));
  const scales = Float32Array.from({ length: dims[0] }, (_, row) => {
    const largest = data.subarray(row * size, (row + 1) * size)
      .reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    // Any step is exact for zeros; a subnormal one would divide by zero.
    return largest / MOST > 2 ** -126 ? largest / MOST : 1;
  });
  const codes = quantizeWeights(data, dims, {
    axis: 0,
    scales,
    zeroPoints: new Array(dims[0]).fill(0),
    codes: { min: -MOST, max: MOST },
  });
  return { codes, scales };
}
