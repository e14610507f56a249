// Bins travel between host and module as rows, in four columns over INPUT:
//
//   INPUT   n f64 × ROWS | Σr u64 × ROWS | Σr² u64 × ROWS | bin u32 × ROWS

import { Accumulator, addToWideBin, wideBin } from "./accumulator";
import {
  BINS_PER_OCTAVE,
  MANTISSA_BITS,
  NEGATIVE_ZERO_BIN,
  OCTAVES,
  POSITIVE_ZERO_BIN,
  R_BITS,
} from "./bits";
import { INPUT } from "./memory";

/** Most rows at a time. 28 bytes each, so they fit INPUT. */
export const ROWS: i32 = 2048;
export const ROW_N: usize = INPUT;
export const ROW_R1: usize = ROW_N + ROWS * 8;
export const ROW_R2: usize = ROW_R1 + ROWS * 8;
export const ROW_BIN: usize = ROW_R2 + ROWS * 8;

const OCTAVE_SHIFT: u32 = MANTISSA_BITS - R_BITS;

/** How many bins are not empty. */
export function countBins(accumulator: Accumulator): i32 {
  let bins = 0;
  for (let octave: u32 = 0; octave < OCTAVES; octave++) {
    const page = accumulator.page(octave);
    if (page == 0) continue;
    for (let i: u32 = 0; i < BINS_PER_OCTAVE; i++) bins += i32(load<u64>(wideBin(page, i)) != 0);
  }
  return bins;
}

/** Writes the next bins that are not empty, from number `bin` on, and returns how many rows that are. */
export function readRows(accumulator: Accumulator, bin: u32): i32 {
  let row = 0;
  let index = bin & (BINS_PER_OCTAVE - 1);
  for (let octave = bin >>> OCTAVE_SHIFT; octave < OCTAVES; octave++, index = 0) {
    const page = accumulator.page(octave);
    if (page == 0) continue;
    for (; index < BINS_PER_OCTAVE; index++) {
      const at = wideBin(page, index);
      const n = load<u64>(at);
      if (n == 0) continue;
      if (row == ROWS) return row;
      const wide = <usize> row << 3;
      store<f64>(ROW_N + wide, <f64> n);
      store<u64>(ROW_R1 + wide, load<u64>(at, 8));
      store<u64>(ROW_R2 + wide, load<u64>(at, 16));
      store<u32>(ROW_BIN + (<usize> row << 2), (octave << OCTAVE_SHIFT) | index);
      row++;
    }
  }
  return row;
}

/** First of `count` rows whose Σr² would pass u64 in the accumulator; -1 when all fit. */
export function findFullBin(accumulator: Accumulator, count: i32): i32 {
  for (let row = 0; row < count; row++) {
    const bin = load<u32>(ROW_BIN + (<usize> row << 2));
    const page = accumulator.page(bin >>> OCTAVE_SHIFT);
    if (page == 0) continue;
    const r2 = load<u64>(wideBin(page, bin & (BINS_PER_OCTAVE - 1)), 16);
    if (load<u64>(ROW_R2 + (<usize> row << 3)) > u64.MAX_VALUE - r2) return row;
  }
  return -1;
}

/** Adds `count` rows. The caller has reserved the pages, and knows that the bins are below 2^17 and finite. */
export function addRows(accumulator: Accumulator, count: i32): void {
  for (let row = 0; row < count; row++) {
    const bin = load<u32>(ROW_BIN + (<usize> row << 2));
    const wide = <usize> row << 3;
    const n = <u64> load<f64>(ROW_N + wide);
    const page = accumulator.touchPage(bin >>> OCTAVE_SHIFT);
    const at = wideBin(page, bin & (BINS_PER_OCTAVE - 1));
    addToWideBin(accumulator, at, n, load<u64>(ROW_R1 + wide), load<u64>(ROW_R2 + wide));
    // addTotals() takes the zeros off again.
    if (bin == POSITIVE_ZERO_BIN || bin == NEGATIVE_ZERO_BIN) accumulator.tiny += n;
  }
}
