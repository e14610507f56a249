/**
 * Tensors whose values lie on a lattice already: pixels, counts, the outputs of a quantized layer.
 *
 * @module
 */
import type { TensorView } from "../../statistics/tensor_view.ts";

/** More distinct values than the codes of 10 bits are no lattice that a grid of ours could follow. */
const MAX_VALUES = 1024;

/**
 * Steps that may follow the lattice of a tensor exactly: the smallest distance between two of its
 * values, and simple fractions and multiples of it. Empty when a bin holds more than one value.
 */
export function latticeSteps({ bins: { mean, variance } }: TensorView): number[] {
  if (mean.length > MAX_VALUES || variance.some((v) => v > 0)) return [];
  let gap = Math.abs(mean[0]);
  for (let i = 0; i < mean.length; i++) {
    if (mean[i] !== 0) gap = gap === 0 ? Math.abs(mean[i]) : Math.min(gap, Math.abs(mean[i]));
    if (i > 0) gap = Math.min(gap, mean[i] - mean[i - 1]);
  }
  return gap > 0 ? [gap / 2, gap, gap * 2, gap * 4] : [];
}
