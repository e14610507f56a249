/**
 * PERCENTILE: the smallest range that keeps P percent of the elements (ONNX Runtime,
 * `calibrate.py`, PercentileCalibrater, with the same default of 99.999).
 *
 * Symmetric and power-of-two: P percent of the magnitudes. Uniform: the part left out is halved
 * between the two ends. A percentile lies inside a bin; its outer edge is taken, so that never less
 * than P percent is kept.
 *
 * @module
 */
import type { TensorView } from "../../statistics/tensor_view.ts";
import type { RangeSetter } from "./method.ts";

/** Default percentage, as in ONNX Runtime. */
export const DEFAULT_PERCENTILE = 99.999;

/** Keeps `percent` of the elements. @param percent Above 0, at most 100. */
export function percentile(percent: number, constraint: string): RangeSetter {
  return {
    kind: "range",
    formula: `smallest range that keeps ${percent} % of the elements`,
    range: (view) => {
      const { finite } = view.data;
      if (finite === 0) return { low: 0, high: 0 };
      // Rounded up with a little tolerance, so that 100 − 99.999 is not one element too few.
      const kept = Math.min(finite, Math.ceil(finite * percent / 100 - 1e-6));
      if (constraint !== "uniform") {
        const reach = magnitudeThatKeeps(view, kept);
        return { low: Math.max(-reach, view.data.min), high: Math.min(reach, view.data.max) };
      }
      const left = Math.floor((finite - kept) / 2);
      return { low: valueAfter(view, left), high: valueBefore(view, left) };
    },
  };
}

/** Smallest bin edge that at least `kept` magnitudes do not exceed. */
function magnitudeThatKeeps(
  { bins: { from, to, count }, magnitude }: TensorView,
  kept: number,
): number {
  let left = 0;
  let right = count.length - 1;
  let inside = count.reduce((sum, n) => sum + n, 0);
  let reach = magnitude;
  // Takes the outermost bin away, from whichever end it is, as long as enough is left.
  while (left <= right) {
    const [low, high] = [-from[left], to[right]];
    const outer = low >= high ? count[left] : count[right];
    reach = Math.max(low, high);
    if (inside - outer < kept) break;
    inside -= outer;
    if (low >= high) left++;
    else right--;
  }
  return reach;
}

/** Lower edge of the first bin after at most `skipped` elements. */
function valueAfter({ bins: { from, count } }: TensorView, skipped: number): number {
  let i = 0;
  for (; i < count.length - 1 && skipped >= count[i]; i++) skipped -= count[i];
  return from[i];
}

/** Upper edge of the last bin before at most `skipped` elements. */
function valueBefore({ bins: { to, count } }: TensorView, skipped: number): number {
  let i = count.length - 1;
  for (; i > 0 && skipped >= count[i]; i--) skipped -= count[i];
  return to[i];
}
