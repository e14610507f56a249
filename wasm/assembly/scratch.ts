import { Accumulator, addToWideBin, wideBin } from "./accumulator";
import {
  BINS_PER_OCTAVE,
  INFINITY_MAGNITUDE,
  MAGNITUDE_MASK,
  MANTISSA_BITS,
  OCTAVES_PER_SIGN,
} from "./bits";
import { countNonfinite, isTiny } from "./direct";
import { Extremes } from "./extremes";
import * as scalar from "./kernel_scalar";
import * as simd from "./kernel_simd";
import {
  INPUT,
  N_SHIFT,
  R1_MASK,
  SCRATCH,
  SCRATCH_BIN_SHIFT,
  SCRATCH_CAPACITY,
  SCRATCH_OCTAVE_SHIFT,
} from "./memory";

/** Elements that a kernel takes at a time. */
export const STEP: i32 = ASC_FEATURE_SIMD ? simd.STEP : scalar.STEP;

/** Elements in the scratch table, all of one accumulator, and their extremes. */
let pending: u32 = 0;
const pendingExtremes = changetype<Extremes>(memory.data(16, 8));
const chunkExtremes = changetype<Extremes>(memory.data(16, 8));

/** Adds the first `count` elements of INPUT, a multiple of STEP, by way of the scratch table. */
export function addByScratch(accumulator: Accumulator, count: i32): void {
  if (pending + count > SCRATCH_CAPACITY) flush(accumulator);
  if (pending == 0) pendingExtremes.reset();

  if (ASC_FEATURE_SIMD) simd.addElements(count, chunkExtremes);
  else scalar.addElements(count, chunkExtremes);

  // Rare cases are seen in the extremes, after the fact, so the kernels need not think of them.
  let finite = count;
  if (chunkExtremes.largestPositive() >= INFINITY_MAGNITUDE || chunkExtremes.largestNegative() >= INFINITY_MAGNITUDE) {
    finite -= takeNonfiniteOut(accumulator, count);
  }
  if (isTiny(chunkExtremes.smallestPositive()) || isTiny(chunkExtremes.smallestNegative())) {
    countTiny(accumulator, count);
  }
  accumulator.finite += finite;
  pending += count;
  pendingExtremes.merge(chunkExtremes);
}

/** Moves what is in the scratch table to the accumulator's pages. Its finite octaves are zero then. */
export function flush(accumulator: Accumulator): void {
  if (pending == 0) return;
  drainSign(accumulator, 0, pendingExtremes.smallestPositive(), pendingExtremes.largestPositive());
  drainSign(accumulator, OCTAVES_PER_SIGN, pendingExtremes.smallestNegative(), pendingExtremes.largestNegative());
  accumulator.extremes.merge(pendingExtremes);
  pending = 0;
}

/**
 * Counts the elements of the chunk that are not finite, and makes the extremes those of the others.
 *
 * What the kernel wrote for them lies in the octaves of exponent 255 and stays there: drains end at the largest
 * finite magnitude, so nothing ever reads it.
 */
function takeNonfiniteOut(accumulator: Accumulator, count: i32): i32 {
  chunkExtremes.reset();
  let nonfinite = 0;
  for (let i = 0; i < count; i++) {
    const bits = load<u32>(INPUT + (<usize> i << 2));
    if ((bits & MAGNITUDE_MASK) >= INFINITY_MAGNITUDE) {
      countNonfinite(accumulator, bits);
      nonfinite++;
    } else {
      chunkExtremes.include(bits);
    }
  }
  return nonfinite;
}

function countTiny(accumulator: Accumulator, count: i32): void {
  for (let i = 0; i < count; i++) {
    if (isTiny(load<u32>(INPUT + (<usize> i << 2)) & MAGNITUDE_MASK)) accumulator.tiny += 1;
  }
}

/** Drains one sign: the bin of its zero, and the octaves from the smallest to the largest magnitude. */
function drainSign(accumulator: Accumulator, sign: u32, smallest: u32, largest: u32): void {
  const first = smallest >>> MANTISSA_BITS;
  const last = largest >>> MANTISSA_BITS;
  // Zeros do not show in `smallest`. Their bin is looked at by itself: often no other of its octave is used.
  if (first > 0 || smallest == 0) drain(accumulator, sign, 1);
  if (smallest == 0) return;
  for (let exponent = first; exponent <= last; exponent++) {
    drain(accumulator, sign + exponent, BINS_PER_OCTAVE);
  }
}

/** Drains the first `bins` bins of an octave. */
function drain(accumulator: Accumulator, octave: u32, bins: u32): void {
  const start = SCRATCH + (<usize> octave << SCRATCH_OCTAVE_SHIFT);
  let page: usize = 0;
  for (let i: u32 = 0; i < bins; i++) {
    const at = start + (<usize> i << SCRATCH_BIN_SHIFT);
    const nAndR1 = load<u64>(at) + load<u64>(at, 16);
    if (nAndR1 == 0) continue;
    const r2 = load<u64>(at, 8) + load<u64>(at, 24);
    if (page == 0) page = accumulator.touchPage(octave);
    addToWideBin(accumulator, wideBin(page, i), nAndR1 >>> N_SHIFT, nAndR1 & R1_MASK, r2);
  }
  if (page != 0) memory.fill(start, 0, <usize> bins << SCRATCH_BIN_SHIFT);
}
