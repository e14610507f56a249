// Errors of quantization, summed over the elements themselves. For a grid of levels k·step, with k from low
// to high, and for each finite element x:
//
//   k = nearest(clamp(x · inverse));  e = k·step - x;  Σe² += e·e;  Σ|e| += |e|      inverse = fl(1 / step)
//
// All in f64; fl(…) rounds once, with a relative error of at most u = 2^-53. Both sums are within 1e-12 of the
// truth, relatively, for any elements and as many as there can be (2^53):
//
// 1. k is a nearest level: the inverse, which saves a division, costs nothing. Its rounding and that of the product
//    move t = x / step by less than 2^-51·|t|. Where |t| > 2^16 + 1 the clamp decides; elsewhere that is less
//    than 2^-34. A border between levels is t = j + 1/2, and near it |x| > step/4. Then x is a multiple of
//    ulp(step)/4, for it is a float32 as step is, and 2x - (2j+1)·step is one of ulp(step)/2. So either it is
//    0, a tie, where both levels have the same error, or t is ulp(step)/(4·step) > 2^-26 or more away from
//    the border, too far to be moved across.
// 2. k·step is exact: 17 and 24 bits. e = fl(k·step - x) has one rounding, fl(e·e) three: 3u, a little over.
//    Nothing overflows or underflows: what is not 0 lies between 2^-298 and 2^350.
// 3. A kernel adds the terms of a chunk, none of them negative, in lanes of at most 8192, and then the lanes:
//    at most 8193 additions, one after the other, so at most 8193·u, a little over.
// 4. The sums of chunks go to a Total, which keeps two words and so has 2u², not u (see there): for 2^53 of
//    them 2u in all, and u for the second word, which results do not show. Without it, many small chunks could
//    lose 2^53·u, which is everything.
//
// Together less than 8201·u < 9.2e-13. How elements are split over calls changes the sums within this bound,
// so their last bits may differ.
//
// Elements that are not finite are seen after the fact: they make Σ|e| infinite or NaN, which finite ones cannot.

import { INFINITY_MAGNITUDE, MAGNITUDE_MASK } from "./bits";
import * as scalar from "./direct_errors_scalar";
import * as simd from "./direct_errors_simd";
import { ChunkErrors, Grid } from "./grid";
import { allocate, INPUT, reserve } from "./memory";

/** Elements that a kernel takes at a time. */
const STEP: i32 = ASC_FEATURE_SIMD ? simd.STEP : scalar.STEP;

const chunk = changetype<ChunkErrors>(memory.data(16, 8));

/** The errors of one tensor. Behind the fields lie the grids, one after the other. */
@unmanaged
export class DirectErrors {
  /** Finite elements. */
  count: u64;
  grids: i32;

  @inline
  grid(index: i32): Grid {
    return changetype<Grid>(changetype<usize>(this) + GRIDS_OFFSET + <usize> index * offsetof<Grid>());
  }
}

@inline
const GRIDS_OFFSET: usize = offsetof<DirectErrors>();

/** Errors of `grids` grids that have seen nothing; null when there is no memory. Grows memory. */
export function createDirectErrors(grids: i32): DirectErrors | null {
  const bytes = GRIDS_OFFSET + <usize> grids * offsetof<Grid>();
  if (!reserve(bytes)) return null;
  const errors = changetype<DirectErrors>(allocate(bytes));
  errors.grids = grids;
  return errors;
}

/** Says what a grid is. The caller knows that they are as wasm/direct_errors.ts wants them. */
export function setGrid(errors: DirectErrors, index: i32, step: f64, low: f64, high: f64): void {
  const grid = errors.grid(index);
  grid.step = step;
  grid.inverse = 1 / step;
  grid.low = low;
  grid.high = high;
}

/** Adds the errors of the first `count` elements of INPUT, and overwrites INPUT. */
export function observeDirectly(errors: DirectErrors, count: i32): void {
  // Without a grid, nothing would be seen after the fact.
  let finite = errors.grids == 0 ? keepFinite(count) : count;
  for (let i = 0; i < errors.grids; i++) {
    const grid = errors.grid(i);
    sumErrors(grid, finite);
    if (!isFinite(chunk.absolute)) {
      finite = keepFinite(finite);
      sumErrors(grid, finite);
    }
    grid.squared.add(chunk.squared);
    grid.absolute.add(chunk.absolute);
  }
  errors.count += finite;
}

/** Finite elements so far. */
export function countDirectly(errors: DirectErrors): f64 {
  return <f64> errors.count;
}

/** Forgets what was seen; the grids stay. */
export function clearDirectly(errors: DirectErrors): void {
  errors.count = 0;
  for (let i = 0; i < errors.grids; i++) {
    const grid = errors.grid(i);
    grid.squaredHigh = 0;
    grid.squaredLow = 0;
    grid.absoluteHigh = 0;
    grid.absoluteLow = 0;
  }
}

export function squaredError(errors: DirectErrors, index: i32): f64 {
  return errors.grid(index).squared.high;
}

export function absoluteError(errors: DirectErrors, index: i32): f64 {
  return errors.grid(index).absolute.high;
}

/** Sets `chunk` to the sums over the first `count` elements of INPUT. */
function sumErrors(grid: Grid, count: i32): void {
  const padded = (count + STEP - 1) & -STEP;
  // A zero is on every grid and has no error. INPUT_LENGTH is a multiple of STEP, so there is room.
  memory.fill(INPUT + (<usize> count << 2), 0, <usize> (padded - count) << 2);
  if (ASC_FEATURE_SIMD) simd.sumErrors(grid, padded, chunk);
  else scalar.sumErrors(grid, padded, chunk);
}

/** Moves the finite ones of the first `count` elements of INPUT to its front, and returns how many they are. */
function keepFinite(count: i32): i32 {
  let to = INPUT;
  const end = INPUT + (<usize> count << 2);
  for (let at = INPUT; at < end; at += 4) {
    const bits = load<u32>(at);
    store<u32>(to, bits);
    if ((bits & MAGNITUDE_MASK) < INFINITY_MAGNITUDE) to += 4;
  }
  return <i32> (to - INPUT) >> 2;
}
