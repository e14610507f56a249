/**
 * Weights → codes, in the one place that rounds them.
 *
 * @module
 */
import { roundHalfEven } from "../../core/grid.ts";
import { scaleIndex } from "./scale_index.ts";

/** How weights lie on their grids. */
export interface WeightGrid {
  /** Axis of the scales; absent: one scale in all. */
  readonly axis?: number;
  /** Weights along the axis that share a scale; absent: one scale for each place on the axis. */
  readonly blockSize?: number;
  readonly scales: Float32Array;
  /** As many as scales. */
  readonly zeroPoints: readonly number[];
  /** First and last code. */
  readonly codes: { readonly min: number; readonly max: number };
}

/** The nearest code of each weight, row-major. */
export function quantizeWeights(
  data: ArrayLike<number>,
  dims: readonly number[],
  { axis, blockSize, scales, zeroPoints, codes }: WeightGrid,
): Int16Array {
  const scaleOf = axis === undefined ? () => 0 : scaleIndex(dims, axis, blockSize);
  return Int16Array.from(data, (w, i) => {
    const s = scaleOf(i);
    const code = roundHalfEven(w / scales[s]) + zeroPoints[s];
    return Math.min(Math.max(code, codes.min), codes.max);
  });
}

/** The real numbers that codes stand for. */
export function dequantizeCodes(
  codes: Int16Array,
  dims: readonly number[],
  { axis, blockSize, scales, zeroPoints }: WeightGrid,
): Float64Array {
  const scaleOf = axis === undefined ? () => 0 : scaleIndex(dims, axis, blockSize);
  return Float64Array.from(codes, (code, i) => {
    const s = scaleOf(i);
    return (code - zeroPoints[s]) * scales[s];
  });
}
