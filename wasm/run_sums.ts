/**
 * Sums of runs of elements: one run is the plane of a channel of a sample. From them come the channel means that bias
 * correction needs.
 *
 * This module is browser compatible.
 *
 * @module
 */

/** Σx and Σx² of consecutive runs of equal length, as float64. */
export interface RunSums {
  /** Elements of a run, at least 1. */
  readonly run: number;
  /** Σx, one a run. */
  readonly sums: Float64Array;
  /** Σx², one a run. */
  readonly squares: Float64Array;
}

/** Most elements that are summed in one go: longer runs are the sum of such pieces, in order. */
export const PIECE = 16384;

/** Room for the sums of `length` elements in runs of `run`. */
export function createRunSums(length: number, run: number): RunSums {
  if (!(run >= 1 && Number.isInteger(length / run))) {
    throw new RangeError(`Cannot sum ${length} elements in runs of ${run}: not a whole number`);
  }
  const runs = length / run;
  return { run, sums: new Float64Array(runs), squares: new Float64Array(runs) };
}

/**
 * Sums runs. All implementations agree bit for bit, since the order of additions is fixed: four sums of every
 * fourth element, (0 + 2) + (1 + 3), then the last one to three elements.
 *
 * @example Usage
 * ```ts
 * import { createRunSums, sumRuns } from "./run_sums.ts";
 * import assert from "node:assert/strict";
 *
 * const sums = createRunSums(4, 2);
 * sumRuns(Float32Array.of(1, 2, 3, -4), sums);
 * assert.deepEqual([...sums.sums, ...sums.squares], [3, -1, 5, 25]);
 * ```
 */
export function sumRuns(values: Float32Array, { run, sums, squares }: RunSums): void {
  sums.fill(0);
  squares.fill(0);
  for (let r = 0, start = 0; start < values.length; r++, start += run) {
    for (let from = start; from < start + run; from += PIECE) {
      addPiece(values, from, Math.min(from + PIECE, start + run), sums, squares, r);
    }
  }
}

function addPiece(
  values: Float32Array,
  start: number,
  end: number,
  sums: Float64Array,
  squares: Float64Array,
  r: number,
): void {
  let [a0, a1, a2, a3, b0, b1, b2, b3] = [0, 0, 0, 0, 0, 0, 0, 0];
  let i = start;
  for (; i + 3 < end; i += 4) {
    const [x0, x1, x2, x3] = [values[i], values[i + 1], values[i + 2], values[i + 3]];
    a0 += x0;
    a1 += x1;
    a2 += x2;
    a3 += x3;
    b0 += x0 * x0;
    b1 += x1 * x1;
    b2 += x2 * x2;
    b3 += x3 * x3;
  }
  let [sum, square] = [a0 + a2 + (a1 + a3), b0 + b2 + (b1 + b3)];
  for (; i < end; i++) {
    sum += values[i];
    square += values[i] * values[i];
  }
  sums[r] += sum;
  squares[r] += square;
}
