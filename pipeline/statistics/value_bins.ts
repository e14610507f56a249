/**
 * A histogram prepared for fast sums over ranges of values: bins in ascending order of value, prefix
 * sums in float64.
 *
 * @module
 */
import { BIN_COUNT, binLowerEdge, binUpperEdge, type HistogramData } from "../../wasm/mod.ts";
import { binBase, binSign, binUlpExponent } from "../../wasm/mod.ts";

/** Bins of a tensor, ascending by value. Arrays `from`, `to`, `mean`, `variance`, `count` have one entry a bin. */
export interface ValueBins {
  readonly data: HistogramData;
  /** Index in `data` of each bin. */
  readonly order: readonly number[];
  /** Number of finite elements. */
  readonly total: number;
  /** Smallest value that the bin can hold: its edge, or the minimum of the tensor. */
  readonly from: Float64Array;
  /** Largest value that it can hold. */
  readonly to: Float64Array;
  /** Number of elements. */
  readonly count: Float64Array;
  /** Mean of its elements, within `from` … `to`. */
  readonly mean: Float64Array;
  /** Variance of its elements, not below 0. */
  readonly variance: Float64Array;
  /** Elements in the bins from i on; one entry more than bins. */
  readonly tailCount: Float64Array;
  /** Σx over the bins from i on. */
  readonly tailSum: Float64Array;
  /** Σx² over the bins from i on. */
  readonly tailSquares: Float64Array;
  /** Index of the first bin at or above the bin with this number, in the order of values. */
  readonly indexOf: Int32Array;
}

/** Half of the bin numbers: negatives come before positives in the order of values. */
const SIGN = BIN_COUNT / 2;

/** Position of a bin number in the order of values: negatives descending, then positives ascending. */
function valueRank(bin: number): number {
  return bin >= SIGN ? BIN_COUNT - 1 - bin : bin + SIGN;
}

/** Prepares a histogram; some 0.3 ms for 10,000 bins. */
export function valueBins(data: HistogramData): ValueBins {
  const size = data.bins.length;
  const order = Array.from(data.bins.keys()).sort((a, b) =>
    valueRank(data.bins[a]) - valueRank(data.bins[b])
  );
  const bins: ValueBins = {
    data,
    order,
    total: data.finite,
    from: new Float64Array(size),
    to: new Float64Array(size),
    count: new Float64Array(size),
    mean: new Float64Array(size),
    variance: new Float64Array(size),
    tailCount: new Float64Array(size + 1),
    tailSum: new Float64Array(size + 1),
    tailSquares: new Float64Array(size + 1),
    indexOf: new Int32Array(BIN_COUNT + 1),
  };
  for (let i = size - 1; i >= 0; i--) {
    const at = order[i];
    const bin = data.bins[at];
    const n = data.n[at];
    const ulp = 2 ** binUlpExponent(bin);
    const meanR = Number(data.r1[at]) / n;
    const edges = [binLowerEdge(bin), binUpperEdge(bin)];
    bins.from[i] = Math.max(Math.min(edges[0], edges[1]), data.min);
    bins.to[i] = Math.min(Math.max(edges[0], edges[1]), data.max);
    bins.count[i] = n;
    const mean = binSign(bin) * ulp * (binBase(bin) + meanR);
    bins.mean[i] = Math.min(Math.max(mean, bins.from[i]), bins.to[i]);
    bins.variance[i] = ulp * ulp * Math.max(0, Number(data.r2[at]) / n - meanR * meanR);
    bins.tailCount[i] = bins.tailCount[i + 1] + n;
    bins.tailSum[i] = bins.tailSum[i + 1] + n * mean;
    bins.tailSquares[i] = bins.tailSquares[i + 1] + n * (mean * mean + bins.variance[i]);
  }
  let next = 0;
  for (let rank = 0; rank <= BIN_COUNT; rank++) {
    while (next < size && valueRank(data.bins[order[next]]) < rank) next++;
    bins.indexOf[rank] = next;
  }
  return bins;
}

const asFloat = new Float32Array(1);
const asBits = new Uint32Array(asFloat.buffer);

/** Index of the first bin that may hold values above `x`: all bins before it lie at or below `x`. */
export function binIndex(bins: ValueBins, x: number): number {
  asFloat[0] = x;
  // Rounding to float32 may step over an edge that x is just below: look one bin further down.
  let i = bins.indexOf[Math.max(0, valueRank(asBits[0] >>> 15) - 1)];
  while (i < bins.to.length && bins.to[i] <= x) i++;
  return i;
}
