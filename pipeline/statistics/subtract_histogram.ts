/**
 * A part taken out of a histogram again.
 *
 * @module
 */
import { binLowerEdge, binUpperEdge, type HistogramData } from "../../wasm/mod.ts";

/**
 * The histogram of the elements of `all` that are not in `part`. Counts and sums are exact, since they
 * are integers; min and max are edges of bins where the outermost element may have been in `part`.
 *
 * @param part A histogram of some of the elements of `all`.
 */
export function subtractHistogram(all: HistogramData, part: HistogramData): HistogramData {
  const taken = new Map(Array.from(part.bins, (bin, i) => [bin, i]));
  const kept: { bin: number; n: number; r1: bigint; r2: bigint }[] = [];
  all.bins.forEach((bin, i) => {
    const at = taken.get(bin);
    const n = all.n[i] - (at === undefined ? 0 : part.n[at]);
    if (n === 0) return;
    const [r1, r2] = at === undefined ? [0n, 0n] : [part.r1[at], part.r2[at]];
    kept.push({ bin, n, r1: all.r1[i] - r1, r2: all.r2[i] - r2 });
  });
  const edges = kept.flatMap(({ bin }) => [binLowerEdge(bin), binUpperEdge(bin)]);
  const finite = all.finite - part.finite;
  // Edges of bins have few bits and are float32; the tensor's own extremes are tighter.
  const min = edges.reduce((a, b) => Math.min(a, b), Infinity);
  const max = edges.reduce((a, b) => Math.max(a, b), -Infinity);
  return {
    finite,
    zeros: all.zeros - part.zeros,
    nan: all.nan - part.nan,
    positiveInfinity: all.positiveInfinity - part.positiveInfinity,
    negativeInfinity: all.negativeInfinity - part.negativeInfinity,
    min: finite === 0 ? NaN : Math.max(min, all.min),
    max: finite === 0 ? NaN : Math.min(max, all.max),
    bins: Uint32Array.from(kept, ({ bin }) => bin),
    n: Float64Array.from(kept, ({ n }) => n),
    r1: BigUint64Array.from(kept, ({ r1 }) => r1),
    r2: BigUint64Array.from(kept, ({ r2 }) => r2),
  };
}
