/**
 * OCTAV: optimally clipped tensors (Sakr et al., "Optimal Clipping and Magnitude-aware Differentiation for
 * Improved Quantization-aware Training", ICML 2022, arXiv 2206.06501, equation 6), by Newton steps
 *
 *     s ← Σ_{|x|>s} |x| / (4^−B / 3 · #{0 < |x| ≤ s} + #{|x| > s}),     /12 in place of /3 when unsigned
 *
 * from the mean magnitude until s stands. The noise model takes the error inside a step to be uniform, so
 * it is near the MSE optimum at 8 bits and too small at 4 or fewer.
 *
 * @module
 */
import { stopLoss } from "../../statistics/stop_loss.ts";
import { type ValueBins, valueBins } from "../../statistics/value_bins.ts";
import type { HistogramData } from "../../../wasm/mod.ts";
import type { RangeSetter } from "./method.ts";

const MAX_STEPS = 60;
const TOLERANCE = 1e-9;

/** Newton's optimum of the clipping threshold. @param bits B. */
export function octav(bits: number): RangeSetter {
  return {
    kind: "range",
    formula: "Newton's optimum of clipping against rounding noise (OCTAV)",
    range: (view, signed) => {
      const { data, magnitude } = view;
      if (magnitude === 0) return { low: 0, high: 0 };
      const positive = view.bins;
      const negative = signed ? valueBins(mirrored(data)) : undefined;
      const noise = 4 ** -bits / (signed ? 3 : 12);
      const nonzero = data.finite - data.zeros;
      let s = magnitudes(positive, negative, 0).sum / nonzero;
      for (let step = 0; step < MAX_STEPS; step++) {
        const tail = magnitudes(positive, negative, s);
        const next = tail.sum / (noise * (nonzero - tail.count) + tail.count);
        // Beyond the largest value there is no tail, and the formula would give 0.
        if (tail.count === 0 || next >= magnitude) {
          s = tail.count === 0 ? Math.min(s, magnitude) : magnitude;
          break;
        }
        const change = Math.abs(next - s);
        s = next;
        if (change <= TOLERANCE * s) break;
      }
      return { low: signed ? -s : 0, high: s };
    },
  };
}

/** Number and sum of the magnitudes above s. */
function magnitudes(positive: ValueBins, negative: ValueBins | undefined, s: number) {
  let count = 0;
  let sum = 0;
  for (const bins of negative === undefined ? [positive] : [positive, negative]) {
    // T(s) = Σ(x − s) and its slope give both: #{x > s} from the bins, with the cut one shared out.
    const above = countAbove(bins, s);
    count += above;
    sum += stopLoss(bins, s) + s * above;
  }
  return { count, sum };
}

function countAbove({ from, to, count, tailCount }: ValueBins, s: number): number {
  let low = 0;
  let high = count.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (to[middle] <= s) low = middle + 1;
    else high = middle;
  }
  if (low === count.length) return 0;
  if (from[low] >= s) return tailCount[low];
  return tailCount[low + 1] + count[low] * (to[low] - s) / (to[low] - from[low]);
}

/** The histogram of −x. */
function mirrored(data: HistogramData): HistogramData {
  const SIGN = 1 << 16;
  const order = Array.from(data.bins.keys()).sort((a, b) =>
    (data.bins[a] ^ SIGN) - (data.bins[b] ^ SIGN)
  );
  return {
    ...data,
    min: -data.max + 0,
    max: -data.min + 0,
    bins: Uint32Array.from(order, (i) => data.bins[i] ^ SIGN),
    n: Float64Array.from(order, (i) => data.n[i]),
    r1: BigUint64Array.from(order, (i) => data.r1[i]),
    r2: BigUint64Array.from(order, (i) => data.r2[i]),
  };
}
