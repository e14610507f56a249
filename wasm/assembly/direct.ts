import { Accumulator, addToWideBin, wideBin } from "./accumulator";
import {
  BINS_PER_OCTAVE,
  INFINITY_MAGNITUDE,
  MAGNITUDE_MASK,
  MANTISSA_BITS,
  R_BITS,
  R_MASK,
} from "./bits";

/**
 * Adds `count` elements from `at` to the accumulator's pages, one by one and past the scratch table:
 * for small tensors, where draining the scratch table would cost more than the elements do.
 */
export function addDirectly(accumulator: Accumulator, at: usize, count: i32): void {
  const extremes = accumulator.extremes;
  const end = at + (<usize> count << 2);
  for (; at < end; at += 4) {
    const bits = load<u32>(at);
    const magnitude = bits & MAGNITUDE_MASK;
    if (magnitude >= INFINITY_MAGNITUDE) {
      countNonfinite(accumulator, bits);
      continue;
    }
    const page = accumulator.touchPage(bits >>> MANTISSA_BITS);
    const r = <u64> (bits & R_MASK);
    addToWideBin(accumulator, wideBin(page, (bits >>> R_BITS) & (BINS_PER_OCTAVE - 1)), 1, r, r * r);
    extremes.include(bits);
    accumulator.finite += 1;
    if (isTiny(magnitude)) accumulator.tiny += 1;
  }
}

/** Counts an element whose exponent is 255. */
export function countNonfinite(accumulator: Accumulator, bits: u32): void {
  if ((bits & MAGNITUDE_MASK) > INFINITY_MAGNITUDE) accumulator.nan += 1;
  else if (<i32> bits < 0) accumulator.negativeInfinity += 1;
  else accumulator.positiveInfinity += 1;
}

/** Whether an element lies in the bin of a zero without being one. */
@inline
export function isTiny(magnitude: u32): bool {
  return magnitude - 1 < R_MASK;
}
