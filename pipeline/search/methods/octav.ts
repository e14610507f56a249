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
import { countAbove, type ValueBins } from "../../statistics/value_bins.ts";
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
      const tailAbove = (threshold: number) => magnitudesAbove(view.bins, threshold, signed);
      const noise = 2 ** (-2 * bits) / (signed ? 3 : 12);
      const nonzero = data.finite - data.zeros;
      let s = tailAbove(0).sum / nonzero;
      for (let step = 0; step < MAX_STEPS; step++) {
        const tail = tailAbove(s);
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

/** Number and sum of the magnitudes above s, those of negative values only when signed. */
function magnitudesAbove(bins: ValueBins, s: number, signed: boolean) {
  // T(s) = Σ max(0, x − s), so Σx over x > s is T(s) + s·#{x > s}.
  let count = countAbove(bins, s);
  let sum = stopLoss(bins, s) + s * count;
  if (signed) {
    const notBelow = countAbove(bins, -s);
    const below = bins.total - notBelow;
    count += below;
    // Σ −x over x < −s: all of Σ −x but what lies above −s.
    sum += stopLoss(bins, -s) - s * notBelow - bins.tailSum[0];
  }
  return { count, sum };
}
