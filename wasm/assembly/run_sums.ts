// Sums of runs: planes of channels, for channel means. Beside the histogram, on elements that are in INPUT anyway.
//
// The order of additions is fixed, so that all builds and the TypeScript in ../run_sums.ts agree bit for bit: four
// sums of the elements 0, 4, 8 …, 1, 5, 9 … and so on, then (0 + 2) + (1 + 3), then the last one to three elements.

import { INPUT } from "./memory";
import * as scalar from "./run_sums_scalar";
import * as simd from "./run_sums_simd";

/** Shortest run: SUMS has room for INPUT_LENGTH of them. */
export const SHORTEST_RUN: i32 = 8;

/** Σx and Σx² of each run, as pairs of f64. */
export const SUMS: usize = memory.data((16384 >> 3) * 16, 16);

/** Sums runs of `run` elements, at least SHORTEST_RUN, that fill the first `count` elements of INPUT. */
export function sumRuns(count: i32, run: i32): void {
  const bytes = <usize> run << 2;
  const end = INPUT + (<usize> count << 2);
  let out = SUMS;
  for (let at = INPUT; at < end; at += bytes) {
    if (ASC_FEATURE_SIMD) simd.sumRun(at, run, out);
    else scalar.sumRun(at, run, out);
    out += 16;
  }
}
