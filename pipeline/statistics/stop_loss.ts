/**
 * The stop-loss transform T(c) = Σ max(0, x − c) of a tensor, the one thing that rounding errors are
 * made of: for a grid with levels q_0 < q_1 < … and rounding borders c_j half-way between them
 *
 *     Σ (Q(x) − x)² = Σ (x − q_0)² − 2d · Σ_j T(c_j)
 *     Σ |Q(x) − x|  = Σ (q_0 − x) + 2 · Σ_k T(q_k) − 2 · Σ_j T(c_j)
 *
 * (Both sides are piecewise polynomials in x: passing border c_j changes (x − q)² by −2d·(x − c_j), and
 * |x − q| turns by +2 at every level and by −2 at every border.)
 *
 * T is exact where c is the edge of a bin. Inside a bin the number of elements, their mean and
 * variance are known, and the range that they lie in: the sharp bounds of E max(0, x − c) under just
 * that knowledge are classical (Jansen, Haezendonck and Goovaerts, "Upper bounds on stop-loss premiums in case of known moments
 * up to the fourth order", Insurance: Mathematics and Economics 5, 1986; De Schepper and Heijnen 1995).
 *
 * @module
 */
import { binIndex, type ValueBins } from "./value_bins.ts";

/** T of the part of the bin that c cuts: an estimate inside two certain bounds. */
export interface CutBin {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

/**
 * Estimate of T(c), in float64.
 *
 * Inside a bin the density is taken to be linear with the bin's mean, and the result held within the
 * sharp bounds.
 */
export function stopLoss(bins: ValueBins, c: number): number {
  const i = binIndex(bins, c);
  if (i === bins.count.length) return 0;
  if (bins.from[i] >= c) return bins.tailSum[i] - c * bins.tailCount[i];
  return bins.tailSum[i + 1] - c * bins.tailCount[i + 1] + estimateCut(bins, i, c);
}

/** Σ max(0, x − c) over bin i, which c cuts: estimate held within {@linkcode cutBounds}. */
export function estimateCut(bins: ValueBins, i: number, c: number): number {
  const { from, to, mean, count } = bins;
  const width = to[i] - from[i];
  // Linear density 1 + 12·m·u on −½ … ½ has mean m; T from u = v on is its integral.
  const m = (mean[i] - from[i]) / width - 0.5;
  const v = (c - from[i]) / width - 0.5;
  const rest = 0.5 - v;
  const integral = rest * rest * (0.5 + m * (2 + 2 * v));
  const { lower, upper } = cutBounds(bins, i, c);
  return Math.min(Math.max(count[i] * width * integral, lower), upper);
}

/** Variances are computed in float64; this much of the squared width is put aside for rounding. */
const ROUNDING = 2 ** -40;

/** Sharp bounds of Σ max(0, x − c) over bin i from its count, mean, variance and range. */
export function cutBounds(bins: ValueBins, i: number, c: number): { lower: number; upper: number } {
  const n = bins.count[i];
  const a = bins.from[i];
  const b = bins.to[i];
  const mean = bins.mean[i];
  const slack = ROUNDING * (b - a) * (b - a);
  const left = mean - a;
  const right = b - mean;
  const most = Math.min(bins.variance[i] + slack, left * right);
  const least = Math.min(Math.max(0, bins.variance[i] - slack), left * right);
  // Rounding of the few operations below, relative to the width of the bin.
  const margin = n * (b - a) * 2 ** -45;
  return {
    lower: Math.max(0, n * (mean - c), n * leastExcess(left, right, least, mean - c) - margin),
    upper: n * mostExcess(left, right, most, mean - c) + margin,
  };
}

/**
 * Smallest E max(0, x − c) of a variable on [−left, right] around its mean 0, with this variance;
 * gap = mean − c. The extreme variable sits at both ends and at c.
 */
function leastExcess(left: number, right: number, variance: number, gap: number): number {
  if (gap * right >= variance) return gap;
  if (-gap * left >= variance) return 0;
  return (variance + left * gap) / (left + right);
}

/** Largest E max(0, x − c): two points, at an end and its conjugate, or symmetric about c (Scarf). */
function mostExcess(left: number, right: number, variance: number, gap: number): number {
  const c = -gap;
  if (left > 0 && 2 * c <= variance / left - left) {
    return left * (variance + left * gap) / (variance + left * left);
  }
  if (right > 0 && 2 * c >= right - variance / right) {
    return variance * (right - c) / (variance + right * right);
  }
  return (Math.sqrt(variance + c * c) - c) / 2;
}
