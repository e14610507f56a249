/**
 * Outlier filter by z-score, as in MCT (`outlier_filter.py`).
 *
 * @module
 */
import type { HistogramData } from "../../wasm/mod.ts";
import { viewOf } from "../statistics/tensor_view.ts";

/**
 * Leaves out bins whose mean is further than z standard deviations from the mean of the tensor. Unlike
 * MCT's, which measures from left bin edges and still starts its search at the largest one, the rest is a
 * histogram of its own.
 *
 * @param z Above 0; undefined or infinite: everything stays.
 * @returns The rest, and how many elements were left out.
 */
export function filterByZScore(
  data: HistogramData,
  z = Infinity,
): { data: HistogramData; left: number } {
  if (!Number.isFinite(z) || data.finite === 0) return { data, left: 0 };
  const { bins } = viewOf(data);
  const mean = bins.tailSum[0] / bins.total;
  const deviation = Math.sqrt(Math.max(0, bins.tailSquares[0] / bins.total - mean * mean));
  const kept: number[] = [];
  let [min, max] = [Infinity, -Infinity];
  for (let i = 0; i < bins.count.length; i++) {
    if (Math.abs(bins.mean[i] - mean) > z * deviation) continue;
    min = Math.min(min, bins.from[i]);
    max = Math.max(max, bins.to[i]);
    kept.push(i);
  }
  if (kept.length === bins.count.length || kept.length === 0) return { data, left: 0 };
  const at = kept.map((i) => bins.order[i]).sort((a, b) => a - b);
  const n = Float64Array.from(at, (i) => data.n[i]);
  const finite = n.reduce((sum, count) => sum + count, 0);
  // The zeros' bin is close to the mean of nearly everything; when it isn't, they are gone with it.
  const hasZero = at.some((i) => data.bins[i] % 65536 === 0);
  return {
    left: data.finite - finite,
    data: {
      ...data,
      finite,
      zeros: hasZero ? data.zeros : 0,
      min: Math.fround(min),
      max: Math.fround(max),
      bins: Uint32Array.from(at, (i) => data.bins[i]),
      n,
      r1: BigUint64Array.from(at, (i) => data.r1[i]),
      r2: BigUint64Array.from(at, (i) => data.r2[i]),
    },
  };
}
