/**
 * Tensors of which many elements have one and the same value: the bound of a ReLU6, padding, a saturated sensor.
 *
 * @module
 */
import type { TensorView } from "../../statistics/tensor_view.ts";

/** Part of all elements but zeros that makes a value a spike. */
const SHARE = 0.02;
/** Spikes that are followed, the highest first. */
const COUNT = 2;
/** Beyond 9 bits the steps are so close that no spike lies far from a level. */
const MAX_CODES = 512;

/**
 * Steps of which a spike is a whole multiple, from the top code down to a quarter of it: each the bottom of a valley
 * of the error curve that a scan of all thresholds may step over. Empty without spikes.
 *
 * @param codes Levels on one side of zero.
 */
export function spikeSteps(
  { bins: { mean, variance, count } }: TensorView,
  codes: number,
): number[] {
  if (codes > MAX_CODES) return [];
  let elements = 0;
  for (let i = 0; i < count.length; i++) if (mean[i] !== 0) elements += count[i];
  const spikes: number[] = [];
  for (let i = 0; i < count.length; i++) {
    if (mean[i] !== 0 && variance[i] === 0 && count[i] >= SHARE * elements) spikes.push(i);
  }
  return spikes.sort((a, b) => count[b] - count[a]).slice(0, COUNT).flatMap((i) => {
    const steps: number[] = [];
    for (let k = codes; k > 0 && k >= codes / 4; k--) steps.push(Math.abs(mean[i]) / k);
    return steps;
  });
}
