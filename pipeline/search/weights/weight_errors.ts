/**
 * Σ |Q(w) − w|^p of a grid over weights at hand.
 *
 * @module
 */
import { power as raise } from "../../../core/portable_math.ts";
import { type Levels, ROUND } from "../../../core/grid.ts";
import { type NearMinimum, sweepSteps } from "./sweep_steps.ts";

/** Weights of one step, ready to judge grids for them. */
export interface WeightErrors {
  readonly count: number;
  /** Least and greatest weight, or 0 where that is beyond. */
  readonly min: number;
  readonly max: number;
  /** Exponent of the error, at least 1. */
  readonly power: number;
  /** Whether the errors of all weights count alike. */
  readonly isEven: boolean;
  /** Time of one {@linkcode WeightErrors.estimate}, in elements of {@linkcode WeightErrors.exact}. */
  readonly cost: number;
  /**
   * The error, good enough to compare grids; at least `bound` when it would pass that. Differs from
   * `exact` by float64 rounding for p = 1 and 2, and by sampling for other p and many weights.
   */
  estimate(levels: Levels, bound: number): number;
  /** The error, summed over the elements. */
  exact(levels: Levels): number;
  /**
   * Near the steps of least error of all from one to another, for codes up to `high` on either side of 0: at most `count`. Absent
   * for exponents other than 1 and 2.
   */
  readonly sweep?: (
    range: { from: number; to: number; high: number },
    count: number,
  ) => NearMinimum[];
  /** Σ (Q(w) − w)² of all elements alike, whatever the error counts. */
  squared(levels: Levels): number;
}

/** Time of one border of the sorted evaluation, in elements of the direct one (measured: 5 to 20). */
const BORDER_COST = 12;
/** Time of |x|^p for p other than 1 and 2, in elements of those (measured). */
const POWER_COST = 4;
/** Weights at either end that sampling keeps all, for there are those that a grid clips. */
const KEPT_TAIL = 2048;
/** Weights between them that sampling keeps. */
const KEPT_MIDDLE = 2 ** 14;

/**
 * Prepares weights. Few are summed one after the other. Many are sorted: with prefix sums a grid costs
 * one binary search a level for p = 1 and 2; for other p a sample of the quantiles stands for them.
 *
 * @param weights Finite; reordered, unless there is an importance.
 * @param levels Number of levels of the grids to come.
 * @param importance What the error of each weight is multiplied by; absent: 1.
 */
export function weightErrors(
  weights: Float64Array,
  power: number,
  levels: number,
  importance?: Float64Array,
): WeightErrors {
  let [min, max] = [0, 0];
  for (const w of weights) {
    if (w < min) min = w;
    if (w > max) max = w;
  }
  const isSmooth = power === 1 || power === 2;
  const base = {
    min,
    max,
    power,
    count: weights.length,
    isEven: importance === undefined,
    exact: (grid: Levels) => directError(weights, importance, grid, power, Infinity),
    squared: (grid: Levels) => directError(weights, undefined, grid, 2, Infinity),
    ...(isSmooth
      ? {
        sweep: (range: { from: number; to: number; high: number }, count: number) =>
          sweepSteps({ ...range, weights, counts: importance, power }, count),
      }
      : {}),
  };
  if (importance !== undefined) {
    return {
      ...base,
      cost: weights.length,
      estimate: (grid, bound) => directError(weights, importance, grid, power, bound),
    };
  }
  const borders = (isSmooth ? 2 : Infinity) * BORDER_COST * levels;
  if (weights.length > borders) {
    let prefix: PrefixSums | undefined;
    const sorted = () => prefix ??= prefixSums(weights.sort());
    return { ...base, cost: borders, estimate: (grid) => sortedError(sorted(), grid, power) };
  }
  if (isSmooth || weights.length <= 2 * KEPT_TAIL + KEPT_MIDDLE) {
    return {
      ...base,
      cost: weights.length,
      estimate: (grid, bound) => directError(weights, undefined, grid, power, bound),
    };
  }
  const { values, counts } = sampleQuantiles(weights.sort());
  return {
    ...base,
    cost: values.length * POWER_COST,
    estimate: (grid, bound) => directError(values, counts, grid, power, bound),
  };
}

/** Σ count·|Q(w) − w|^power, given up once it passes `bound`. */
function directError(
  values: Float64Array,
  counts: Float64Array | undefined,
  { step, low, high }: Levels,
  power: number,
  bound: number,
): number {
  let sum = 0;
  for (let i = 0; i < values.length && sum < bound; i++) {
    const w = values[i];
    const code = w / step + ROUND - ROUND;
    const difference = (code < low ? low : code > high ? high : code) * step - w;
    const error = power === 2
      ? difference * difference
      : power === 1
      ? Math.abs(difference)
      : raise(Math.abs(difference), power);
    sum += counts === undefined ? error : counts[i] * error;
  }
  return sum;
}

/** Sorted weights with their running sums: `sums[i]` is of the first i. */
interface PrefixSums {
  readonly sorted: Float64Array;
  readonly sums: Float64Array;
  readonly squares: Float64Array;
}

function prefixSums(sorted: Float64Array): PrefixSums {
  const sums = new Float64Array(sorted.length + 1);
  const squares = new Float64Array(sorted.length + 1);
  for (let i = 0; i < sorted.length; i++) {
    const w = sorted[i];
    sums[i + 1] = sums[i] + w;
    squares[i + 1] = squares[i] + w * w;
  }
  return { sorted, sums, squares };
}

/** The error for power 1 or 2, level after level. */
function sortedError(
  { sorted, sums, squares }: PrefixSums,
  { step, low, high }: Levels,
  power: number,
): number {
  const n = sorted.length;
  const occupied = (w: number) => Math.min(Math.max(Math.round(w / step), low), high);
  const last = occupied(sorted[n - 1]);
  let error = 0;
  let from = 0;
  for (let code = occupied(sorted[0]); code <= last; code++) {
    const level = code * step;
    const to = code === last ? n : firstAbove(sorted, (code + 0.5) * step, from);
    if (power === 2) {
      error += squares[to] - squares[from] - 2 * level * (sums[to] - sums[from]) +
        level * level * (to - from);
    } else {
      const middle = Math.min(firstAbove(sorted, level, from), to);
      error += level * (2 * middle - from - to) - 2 * sums[middle] + sums[from] + sums[to];
    }
    from = to;
  }
  return Math.max(error, 0);
}

/** Index of the first value above x, at or after `from`. */
function firstAbove(sorted: Float64Array, x: number, from: number): number {
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (sorted[middle] > x) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** All of both tails, and the middle of each of many equal groups in between. */
function sampleQuantiles(sorted: Float64Array): { values: Float64Array; counts: Float64Array } {
  const between = sorted.length - 2 * KEPT_TAIL;
  const values = new Float64Array(2 * KEPT_TAIL + KEPT_MIDDLE);
  const counts = new Float64Array(values.length).fill(1);
  values.set(sorted.subarray(0, KEPT_TAIL));
  values.set(sorted.subarray(sorted.length - KEPT_TAIL), KEPT_TAIL);
  for (let i = 0; i < KEPT_MIDDLE; i++) {
    const from = Math.floor(i * between / KEPT_MIDDLE);
    const to = Math.floor((i + 1) * between / KEPT_MIDDLE);
    values[2 * KEPT_TAIL + i] = sorted[KEPT_TAIL + ((from + to) >> 1)];
    counts[2 * KEPT_TAIL + i] = to - from;
  }
  return { values, counts };
}
