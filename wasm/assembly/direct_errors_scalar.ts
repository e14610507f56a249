// Sums the errors of elements, two at a time: the plain form of direct_errors_simd.ts, for engines without
// SIMD. Same errors; the sums have half as many lanes.
//
// The clamp is two selects, not min and max, which mind NaN and -0 (2.5 and not 3.4 ns per element, measured). V8 makes
// branches of either: where many elements are clipped, at random places, they take 7 ns. A clamp of integers has
// none, but always takes 4 ns (measured). For NaN the level is any, and the error is NaN.

import { ChunkErrors, Grid } from "./grid";
import { INPUT } from "./memory";

/** Elements per step. */
export const STEP: i32 = 2;

/**
 * Sets `errors` to the sums over the first `count` elements of INPUT.
 *
 * @param count A multiple of STEP.
 */
export function sumErrors(grid: Grid, count: i32, errors: ChunkErrors): void {
  const step = grid.step;
  const inverse = grid.inverse;
  const low = grid.low;
  const high = grid.high;

  let squared0: f64 = 0;
  let squared1: f64 = 0;
  let absolute0: f64 = 0;
  let absolute1: f64 = 0;

  const end = INPUT + (<usize> count << 2);
  for (let at = INPUT; at < end; at += STEP * 4) {
    const error0 = errorOf(<f64> load<f32>(at), step, inverse, low, high);
    const error1 = errorOf(<f64> load<f32>(at, 4), step, inverse, low, high);
    squared0 += error0 * error0;
    squared1 += error1 * error1;
    absolute0 += abs(error0);
    absolute1 += abs(error1);
  }

  errors.squared = squared0 + squared1;
  errors.absolute = absolute0 + absolute1;
}

/** k·step - x. */
@inline
function errorOf(x: f64, step: f64, inverse: f64, low: f64, high: f64): f64 {
  const place = x * inverse;
  const notBelow = select(low, place, place < low);
  return nearest(select(high, notBelow, notBelow > high)) * step - x;
}
