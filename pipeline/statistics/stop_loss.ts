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

/**
 * Σ max(0, x − c) over bin i, which c cuts: estimate held within {@linkcode cutBounds}, to rounding. Searches ask for it
 * millions of times, so whatever doesn't depend on c is computed once for each bin.
 */
export function estimateCut(bins: ValueBins, i: number, c: number): number {
  const table = cutTable(bins);
  const at = i * COLUMNS;
  const inverseWidth = table[at];
  const left = table[at + 8];
  const right = table[at + 9];
  const least = table[at + 2];
  const gap = bins.mean[i] - c;
  // Linear density 1 + 12·m·u on −½ … ½ has mean m; T from u = v on is its integral.
  const v = (left - gap) * inverseWidth - 0.5;
  const rest = 0.5 - v;
  const integral = rest * rest * (0.5 + table[at + 1] * (2 + 2 * v)) * (left + right);
  const lower = gap * right >= least
    ? gap
    : -gap * left >= least
    ? 0
    : (least + left * gap) * inverseWidth;
  const upper = -gap <= table[at + 4]
    ? table[at + 6] * (table[at + 3] + left * gap)
    : -gap >= table[at + 5]
    ? table[at + 7] * (right + gap)
    : (Math.sqrt(table[at + 3] + gap * gap) + gap) / 2;
  return bins.count[i] * Math.min(Math.max(integral, lower, gap, 0), upper);
}

/**
 * What {@linkcode estimateCut} needs of each bin, whatever cuts it, side by side in memory: 1/width; the mean as a part of
 * the width, from the middle; the least and the greatest variance; c − mean up to which, and from which on, one of two
 * points is at an end, and the shares that these have (see `mostExcess`); distances of the mean from both ends.
 */
const COLUMNS = 10;

const cutTables = new WeakMap<ValueBins, Float64Array>();
/** The last one asked for: a search stays with its tensor. */
let lastBins: ValueBins | undefined;
let lastTable: Float64Array = new Float64Array(0);

function cutTable(bins: ValueBins): Float64Array {
  if (bins === lastBins) return lastTable;
  let found = cutTables.get(bins);
  if (found === undefined) cutTables.set(bins, found = makeCutTable(bins));
  [lastBins, lastTable] = [bins, found];
  return found;
}

function makeCutTable({ from, to, mean, variance, count }: ValueBins): Float64Array {
  const table = new Float64Array(COLUMNS * count.length);
  for (let i = 0; i < count.length; i++) {
    const width = to[i] - from[i];
    const left = mean[i] - from[i];
    const right = to[i] - mean[i];
    const [least, most] = varianceBounds(width, left, right, variance[i]);
    const at = i * COLUMNS;
    table[at] = 1 / width;
    table[at + 1] = left / width - 0.5;
    table[at + 2] = least;
    table[at + 3] = most;
    table[at + 4] = left > 0 ? (most / left - left) / 2 : -Infinity;
    table[at + 5] = right > 0 ? (right - most / right) / 2 : Infinity;
    table[at + 6] = left / (most + left * left);
    table[at + 7] = most / (most + right * right);
    table[at + 8] = left;
    table[at + 9] = right;
  }
  return table;
}

/** Variances are computed in float64; this much of the squared width is put aside for rounding. */
const ROUNDING = 2 ** -40;

/** Sharp bounds of Σ max(0, x − c) over bin i from its count, mean, variance and range. */
export function cutBounds(bins: ValueBins, i: number, c: number): { lower: number; upper: number } {
  const n = bins.count[i];
  const a = bins.from[i];
  const b = bins.to[i];
  const mean = bins.mean[i];
  const left = mean - a;
  const right = b - mean;
  const [least, most] = varianceBounds(b - a, left, right, bins.variance[i]);
  // Rounding of the few operations below, relative to the width of the bin.
  const margin = n * (b - a) * 2 ** -45;
  return {
    lower: Math.max(0, n * (mean - c), n * leastExcess(left, right, least, mean - c) - margin),
    upper: n * mostExcess(left, right, most, mean - c) + margin,
  };
}

/** What the variance of a bin can be at least and at most; none is above left·right. */
function varianceBounds(width: number, left: number, right: number, variance: number) {
  const slack = ROUNDING * width * width;
  const most = Math.min(variance + slack, left * right);
  return [Math.min(Math.max(0, variance - slack), left * right), most];
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
