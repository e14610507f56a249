/**
 * Errors of any uniform grid, from a histogram alone: an estimate and two bounds that hold for certain.
 *
 * @module
 */
import { log2, power } from "../../core/portable_math.ts";
import type { Levels } from "../../core/grid.ts";
import { cutBounds, estimateCut } from "./stop_loss.ts";
import { binIndex, type ValueBins } from "./value_bins.ts";

/** A sum of errors over all finite elements of a tensor. */
export interface BoundedError {
  /** The most likely value, within the bounds. */
  readonly estimate: number;
  /** The true sum is not below this. */
  readonly lower: number;
  /** The true sum is not above this. */
  readonly upper: number;
}

/**
 * Magnitude up to which bins are no wider than a step, so that at most one rounding border cuts
 * each: 2^9 steps, rounded down to a power of two. Grids of up to 9 bits lie below it as a whole.
 */
function fineLimit(step: number): number {
  return 2 ** (Math.floor(log2(step)) + 9);
}

/** Where the parts of a tensor lie in its bins, for one grid. */
interface Regions {
  /** Bins [fineFrom, fineTo) are no wider than a step. */
  readonly fineFrom: number;
  readonly fineTo: number;
  /** Levels that elements of those bins may be rounded to. */
  readonly low: number;
  readonly high: number;
  /** Wide bins below `lowEdge` and from `highEdge` on are clipped as a whole or in part. */
  readonly lowEdge: number;
  readonly highEdge: number;
}

function regionsOf(bins: ValueBins, { step, low, high }: Levels): Regions {
  const limit = fineLimit(step);
  const fineFrom = binIndex(bins, -limit);
  const fineTo = Math.max(fineFrom, binIndex(bins, limit));
  const reach = Math.ceil(limit / step);
  return {
    fineFrom,
    fineTo,
    low: Math.max(low, -reach),
    high: Math.min(high, reach),
    lowEdge: Math.min(fineFrom, binIndex(bins, (low - 0.5) * step)),
    highEdge: Math.max(fineTo, binIndex(bins, (high + 0.5) * step)),
  };
}

/** Estimate of T(c) over the bins [start, end) only. */
function stopLossBefore(bins: ValueBins, c: number, start: number, end: number): number {
  const i = Math.min(Math.max(binIndex(bins, c), start), end);
  const whole = (from: number) =>
    bins.tailSum[from] - bins.tailSum[end] - c * (bins.tailCount[from] - bins.tailCount[end]);
  if (i === end || bins.from[i] >= c) return whole(i);
  return whole(i + 1) + estimateCut(bins, i, c);
}

/** Estimate of Σ (Q(x) − x)² in float64: what searches call hundreds of times. */
export function squaredError(bins: ValueBins, levels: Levels): number {
  const { step } = levels;
  const { fineFrom, fineTo, low, high, lowEdge, highEdge } = regionsOf(bins, levels);
  let sum = squaresAround(bins, low * step, fineFrom, fineTo);
  let kinks = 0;
  for (let k = low; k < high; k++) {
    kinks += stopLossBefore(bins, (k + 0.5) * step, fineFrom, fineTo);
  }
  sum -= 2 * step * kinks;
  const inside = bins.tailCount[lowEdge] - bins.tailCount[fineFrom] + bins.tailCount[fineTo] -
    bins.tailCount[highEdge];
  return Math.max(0, sum) + inside * step * step / 12 +
    squaresAround(bins, levels.low * step, 0, lowEdge) +
    squaresAround(bins, levels.high * step, highEdge, bins.count.length);
}

/** Estimate of Σ |Q(x) − x| in float64. */
export function absoluteError(bins: ValueBins, levels: Levels): number {
  const { step } = levels;
  const { fineFrom, fineTo, low, high, lowEdge, highEdge } = regionsOf(bins, levels);
  const count = (from: number, to: number) => bins.tailCount[from] - bins.tailCount[to];
  const total = (from: number, to: number) => bins.tailSum[from] - bins.tailSum[to];
  let sum = low * step * count(fineFrom, fineTo) - total(fineFrom, fineTo);
  for (let k = low; k <= high; k++) {
    sum += 2 * stopLossBefore(bins, k * step, fineFrom, fineTo);
    if (k < high) sum -= 2 * stopLossBefore(bins, (k + 0.5) * step, fineFrom, fineTo);
  }
  const end = bins.count.length;
  const inside = count(lowEdge, fineFrom) + count(fineTo, highEdge);
  return Math.max(0, sum) + inside * step / 4 +
    (levels.low * step * count(0, lowEdge) - total(0, lowEdge)) +
    (total(highEdge, end) - levels.high * step * count(highEdge, end));
}

/** Σ (x − q)² over bins [from, to). */
function squaresAround(
  { tailCount, tailSum, tailSquares }: ValueBins,
  q: number,
  from: number,
  to: number,
): number {
  if (from === to) return 0;
  const n = tailCount[from] - tailCount[to];
  const s = tailSum[from] - tailSum[to];
  return Math.max(0, tailSquares[from] - tailSquares[to] - 2 * q * s + q * q * n);
}

/** Nearest level, saturating. */
function nearest(x: number, { step, low, high }: Levels): number {
  return Math.min(Math.max(Math.round(x / step), low), high);
}

/** Relative rounding that sums of up to 2^17 bins in float64 can gather, with room to spare. */
const ROUNDING = 2 ** -48;

/**
 * Σ |Q(x) − x|^p with certain bounds, bin by bin.
 *
 * - A bin that no rounding border cuts has one level q. p = 1 and 2 are exact there (as long as q is
 *   not inside, for p = 1). For other p, |x − q|^p has a third derivative of one sign on the bin, so
 *   with count, mean, variance and range known the extreme values are taken by two points: one end and its conjugate (Karlin and Studden,
 *   "Tchebycheff Systems", 1966).
 * - In a bin that one border c cuts, the error is |x − q|^p − g(x) with g = 0 below c and
 *   g(x) between L·(x − c) and U·(x − c) above; Σ max(0, x − c) has sharp bounds (`stop_loss.ts`).
 *   p = 2 has L = U = 2d.
 * - In a bin wider than a step the error of an element is anything from 0 to (d/2)^p.
 *
 * @param p 1 or more.
 */
export function boundedError(bins: ValueBins, levels: Levels, p: number): BoundedError {
  let estimate = 0;
  let lower = 0;
  let upper = 0;
  for (let i = 0; i < bins.count.length; i++) {
    const part = binError(bins, i, levels, p);
    estimate += part.estimate;
    lower += part.lower;
    upper += part.upper;
  }
  const margin = upper * ROUNDING * 2;
  return { estimate, lower: Math.max(0, lower - margin), upper: upper + margin };
}

function binError(bins: ValueBins, i: number, levels: Levels, p: number): BoundedError {
  const { step } = levels;
  const a = bins.from[i];
  const b = bins.to[i];
  const n = bins.count[i];
  const first = nearest(a, levels);
  const last = nearest(b, levels);
  if (first === last) return levelError(bins, i, first * step, p);
  if (last - first > 1 || b - a > step) {
    // Wide: the whole range of errors is possible; clipped parts add what lies beyond the last level.
    const outside = Math.max(0, levels.low * step - a, b - levels.high * step) - step / 2;
    const most = power(step / 2 + Math.max(0, outside), p);
    const flat = power(step / 2, p) / (p + 1);
    return { estimate: n * Math.min(flat, most), lower: 0, upper: n * most };
  }
  const border = (first + 0.5) * step;
  if (border <= a || border >= b) {
    return levelError(bins, i, (border <= a ? last : first) * step, p);
  }
  const whole = levelError(bins, i, first * step, p);
  const cut = { ...cutBounds(bins, i, border), estimate: estimateCut(bins, i, border) };
  // g is convex for p >= 2 and concave for p <= 2, so g(x) / (x − c) runs from its slope at c to this:
  const atEnd = (power(Math.abs(b - first * step), p) - power(Math.abs(b - last * step), p)) /
    (b - border);
  const atBorder = 2 * p * power(step / 2, p - 1);
  const [least, most] = [Math.min(atBorder, atEnd), Math.max(atBorder, atEnd)];
  const lower = Math.max(0, whole.lower - most * cut.upper);
  // No element is further from its level than half a step here.
  const upper = Math.min(whole.upper - least * cut.lower, n * power(step / 2, p));
  const estimate = whole.estimate - (least + most) / 2 * cut.estimate;
  return {
    estimate: Math.min(Math.max(estimate, lower), upper),
    lower,
    upper: Math.max(upper, lower),
  };
}

/** Σ |x − q|^p over a bin. */
function levelError(bins: ValueBins, i: number, q: number, p: number): BoundedError {
  const n = bins.count[i];
  const a = bins.from[i];
  const b = bins.to[i];
  const offset = bins.mean[i] - q;
  const variance = bins.variance[i];
  const scale = n * power(Math.max(Math.abs(a - q), Math.abs(b - q)), p);
  if (p === 2) return around(n * (offset * offset + variance), scale);
  const isOneSided = q <= a || q >= b;
  if (p === 1) {
    if (isOneSided) return around(n * Math.abs(offset), scale);
    // |x − q| = (q − x) + 2·max(0, x − q)
    const cut = cutBounds(bins, i, q);
    return {
      estimate: -n * offset + 2 * estimateCut(bins, i, q),
      lower: Math.max(0, n * Math.abs(offset), -n * offset + 2 * cut.lower),
      upper: -n * offset + 2 * cut.upper,
    };
  }
  const toPower = (x: number) => power(Math.abs(x - q), p);
  const deviation = Math.sqrt(variance);
  const estimate = n * (toPower(bins.mean[i] - deviation) + toPower(bins.mean[i] + deviation)) / 2;
  const ends = [conjugate(bins, i, a, toPower), conjugate(bins, i, b, toPower)];
  // A level inside the bin breaks the sign of the third derivative: convexity alone bounds then.
  const chord = b > a
    ? (toPower(a) * (b - bins.mean[i]) + toPower(b) * (bins.mean[i] - a)) / (b - a)
    : toPower(a);
  const lower = n * (isOneSided ? Math.min(...ends) : toPower(bins.mean[i])) - scale * ROUNDING;
  const upper = n * (isOneSided ? Math.max(...ends) : chord) + scale * ROUNDING;
  return { estimate: Math.min(Math.max(estimate, lower), upper), lower: Math.max(0, lower), upper };
}

/** Mean of f under two points with the bin's mean and variance, one of them being `end`. */
function conjugate(bins: ValueBins, i: number, end: number, f: (x: number) => number): number {
  const distance = end - bins.mean[i];
  const variance = Math.min(
    bins.variance[i],
    (bins.mean[i] - bins.from[i]) * (bins.to[i] - bins.mean[i]),
  );
  if (distance === 0 || variance === 0) return f(bins.mean[i]);
  const other = bins.mean[i] - variance / distance;
  const share = variance / (variance + distance * distance);
  return share * f(end) + (1 - share) * f(other);
}

function around(value: number, scale: number): BoundedError {
  const margin = scale * ROUNDING;
  return { estimate: value, lower: Math.max(0, value - margin), upper: value + margin };
}
