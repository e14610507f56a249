// What the module exports. wasm/instance.ts is the other side; it repeats no number from here.

import { Accumulator, createAccumulator, reservePages } from "./accumulator";
import { addDirectly } from "./direct";
import { INPUT } from "./memory";
import { addByScratch, flush as drainScratch, STEP } from "./scratch";

export {
  absoluteError,
  clearDirectly,
  countDirectly,
  createDirectErrors,
  observeDirectly,
  setGrid,
  squaredError,
} from "./direct_errors";
export { INPUT, INPUT_LENGTH } from "./memory";
export { SHORTEST_RUN, sumRuns, SUMS } from "./run_sums";
export { addRows, countBins, findFullBin, readRows, ROW_BIN, ROW_N, ROW_R1, ROW_R2, ROWS } from "./rows";

/** 1 when this is the SIMD build. */
export const SIMD: i32 = ASC_FEATURE_SIMD ? 1 : 0;

/** Fewer elements than this go past the scratch table: 3 ns each, where a drain takes some 10 µs. (measured) */
const DIRECT_BELOW: i32 = 4096;

/** r² < 2^30. */
const R2_BITS: u64 = 30;

/** A new accumulator; 0 when there is no memory. Grows memory. */
export function create(): Accumulator | null {
  return createAccumulator();
}

/** Makes sure that later calls find memory; false when there is none. Grows memory, as no other but create(). */
export function reserve(): bool {
  return reservePages();
}

/** Whether `count` more elements fit, even if all of them have the largest r and fall in the fullest bin. */
export function hasRoom(accumulator: Accumulator, count: f64): bool {
  return <u64> count <= (u64.MAX_VALUE - accumulator.largestR2) >> R2_BITS;
}

/** Adds the first `count` elements of INPUT. After the last call for a tensor, flush(). */
export function observe(accumulator: Accumulator, count: i32): void {
  let done = 0;
  if (count >= DIRECT_BELOW) {
    done = count & -STEP;
    addByScratch(accumulator, done);
  }
  addDirectly(accumulator, INPUT + (<usize> done << 2), count - done);
}

/** Moves what observe() left in the shared scratch table to the accumulator. */
export function flush(accumulator: Accumulator): void {
  drainScratch(accumulator);
}

/** Adds what rows do not say. min and max are NaN when nothing is finite. */
export function addTotals(
  accumulator: Accumulator,
  finite: f64,
  zeros: f64,
  nan: f64,
  positiveInfinity: f64,
  negativeInfinity: f64,
  min: f32,
  max: f32,
): void {
  accumulator.finite += <u64> finite;
  accumulator.tiny -= <u64> zeros;
  accumulator.nan += <u64> nan;
  accumulator.positiveInfinity += <u64> positiveInfinity;
  accumulator.negativeInfinity += <u64> negativeInfinity;
  if (finite == 0) return;
  accumulator.extremes.include(reinterpret<u32>(min));
  accumulator.extremes.include(reinterpret<u32>(max));
}

export function finite(accumulator: Accumulator): f64 {
  return <f64> accumulator.finite;
}

export function zeros(accumulator: Accumulator): f64 {
  return <f64> accumulator.zeros();
}

export function nan(accumulator: Accumulator): f64 {
  return <f64> accumulator.nan;
}

export function positiveInfinity(accumulator: Accumulator): f64 {
  return <f64> accumulator.positiveInfinity;
}

export function negativeInfinity(accumulator: Accumulator): f64 {
  return <f64> accumulator.negativeInfinity;
}

/** Smallest finite element; NaN when there is none, never -0. */
export function minimum(accumulator: Accumulator): f32 {
  if (accumulator.finite == 0) return NaN;
  const negative = accumulator.extremes.largestNegative();
  if (negative > 0) return -reinterpret<f32>(negative);
  if (accumulator.zeros() > 0) return 0;
  return reinterpret<f32>(accumulator.extremes.smallestPositive());
}

/** Largest finite element; NaN when there is none, never -0. */
export function maximum(accumulator: Accumulator): f32 {
  if (accumulator.finite == 0) return NaN;
  const positive = accumulator.extremes.largestPositive();
  if (positive > 0) return reinterpret<f32>(positive);
  if (accumulator.zeros() > 0) return 0;
  return -reinterpret<f32>(accumulator.extremes.smallestNegative());
}
