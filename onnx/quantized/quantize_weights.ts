/**
 * Weights → codes, in the one place that rounds them.
 *
 * @module
 */
import { ROUND } from "../../core/grid.ts";
import { elementCount } from "../file/tensor.ts";
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
  grid: WeightGrid,
): Int16Array {
  const { scales, zeroPoints, codes: { min, max } } = grid;
  const codes = new Int16Array(data.length);
  forEachRun(data.length, dims, grid, (from, to, s) => {
    const [scale, zeroPoint] = [scales[s], zeroPoints[s]];
    for (let i = from; i < to; i++) {
      // What is too large to be rounded so is beyond the last code anyway.
      const code = data[i] / scale + ROUND - ROUND + zeroPoint;
      codes[i] = code < min ? min : code > max ? max : code;
    }
  });
  return codes;
}

/** The real numbers that codes stand for. */
export function dequantizeCodes(
  codes: Int16Array,
  dims: readonly number[],
  grid: WeightGrid,
): Float64Array {
  const { scales, zeroPoints } = grid;
  const weights = new Float64Array(codes.length);
  forEachRun(codes.length, dims, grid, (from, to, s) => {
    const [scale, zeroPoint] = [scales[s], zeroPoints[s]];
    for (let i = from; i < to; i++) weights[i] = (codes[i] - zeroPoint) * scale;
  });
  return weights;
}

/** Calls with runs of elements that share a scale: all weights of a model go through here several times. */
function forEachRun(
  length: number,
  dims: readonly number[],
  { axis, blockSize }: WeightGrid,
  run: (from: number, to: number, scale: number) => void,
): void {
  if (axis === undefined) return run(0, length, 0);
  const scaleOf = scaleIndex(dims, axis, blockSize);
  const size = blockSize === undefined ? elementCount(dims.slice(axis + 1)) : 1;
  for (let from = 0; from < length; from += size) run(from, from + size, scaleOf(from));
}
