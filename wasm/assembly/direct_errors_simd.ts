// Sums the errors of elements, four at a time; direct_errors.ts says what and how exactly.
//
// 1. pmin and pmax are one instruction on x86; min and max, with their rules for NaN and -0, are several (0.8 and not
//    2.0 ns per element, measured). For NaN the level is any, and the error is NaN.
// 2. Multiplying by the inverse: division gives the same levels and takes longer (1.0 and not 0.8 ns, measured).
// 3. Two sums of each kind, for processors where one would wait for its own last addition. On Zen 3 it does not
//    (measured).
// 4. One grid at a time, though two would share the conversion of x: 7 % are not worth a second kernel (measured).

import { ChunkErrors, Grid } from "./grid";
import { INPUT } from "./memory";

/** Elements per step. */
export const STEP: i32 = 4;

/**
 * Sets `errors` to the sums over the first `count` elements of INPUT.
 *
 * @param count A multiple of STEP.
 */
export function sumErrors(grid: Grid, count: i32, errors: ChunkErrors): void {
  const step = f64x2.splat(grid.step);
  const inverse = f64x2.splat(grid.inverse);
  const low = f64x2.splat(grid.low);
  const high = f64x2.splat(grid.high);

  let squared0 = f64x2.splat(0);
  let squared1 = f64x2.splat(0);
  let absolute0 = f64x2.splat(0);
  let absolute1 = f64x2.splat(0);

  const end = INPUT + (<usize> count << 2);
  for (let at = INPUT; at < end; at += STEP * 4) {
    const error0 = errorOf(f64x2.promote_low_f32x4(v128.load64_zero(at)), step, inverse, low, high);
    const error1 = errorOf(f64x2.promote_low_f32x4(v128.load64_zero(at, 8)), step, inverse, low, high);
    squared0 = f64x2.add(squared0, f64x2.mul(error0, error0));
    squared1 = f64x2.add(squared1, f64x2.mul(error1, error1));
    absolute0 = f64x2.add(absolute0, f64x2.abs(error0));
    absolute1 = f64x2.add(absolute1, f64x2.abs(error1));
  }

  const squared = f64x2.add(squared0, squared1);
  const absolute = f64x2.add(absolute0, absolute1);
  errors.squared = f64x2.extract_lane(squared, 0) + f64x2.extract_lane(squared, 1);
  errors.absolute = f64x2.extract_lane(absolute, 0) + f64x2.extract_lane(absolute, 1);
}

/** k·step - x. */
@inline
function errorOf(x: v128, step: v128, inverse: v128, low: v128, high: v128): v128 {
  const place = f64x2.pmin(high, f64x2.pmax(low, f64x2.mul(x, inverse)));
  return f64x2.sub(f64x2.mul(f64x2.nearest(place), step), x);
}
