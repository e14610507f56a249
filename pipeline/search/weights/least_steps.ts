/**
 * The steps of weights below which an int32 accumulator could wrap.
 *
 * An integer kernel adds B + Σ W·(x − zero) in int32 and wraps without a word. With a code x of at most R codes from
 * the zero point, that is between ±(|B| + Σ|W|·R), whatever the inputs, whatever part of the sum is taken first, and
 * with padding, which adds nothing. For a weight step s, with the bias b, its correction d and the input step x:
 *
 *     |B| ≤ (|b| + |d|)/(x·s) + 1/2      |W| ≤ |w|/s + 1/2      |d|/(x·s) ≤ R·Σ|w − W·s|/s
 *
 * where a weight that is clipped by e·s counts e less in |W| and e more in |d|, and one that isn't is half a step off at
 * most. So it is enough that
 *
 *     s ≥ (|b|/x + R·Σ|w|) / (2³¹ − 1 − R·n)      n = weights of the channel that aren't zero
 *
 * @module
 */
import { elementCount } from "../../../onnx/file/tensor.ts";
import type { WeightTensor } from "./channel_weights.ts";

/** Largest sum, a little below 2^31 so that rounding to float32 can't pass it. */
const MAX_SUM = 2 ** 31 - 2 ** 8;

/** What a layer's weights are multiplied with and added to. */
export interface Accumulation {
  /** Operator of the layer; the weights of a MatMul may be several matrices. */
  readonly op: string;
  /** Step of the input. */
  readonly inputScale: number;
  /** R, codes from the zero point of the input to the furthest one; 0 where no kernel adds up in int32. */
  readonly reach: number;
  /** Bias of each output channel. */
  readonly bias?: Float32Array;
}

/** The least step of each output channel; one in all for a vector. 0 where any will do. */
export function leastSteps(
  { data, dims, axis }: WeightTensor,
  { op, inputScale, reach, bias }: Accumulation,
): Float64Array {
  const isVector = dims.length < 2;
  const channels = isVector ? 1 : dims[axis];
  const stride = isVector ? data.length : elementCount(dims.slice(axis + 1));
  // Each matrix of a batch has sums of its own.
  const size = op === "MatMul" && !isVector ? elementCount(dims.slice(-2)) : data.length;
  // A grouped ConvTranspose has more biases than columns: the sums of a column then count for each of its channels.
  const steps = new Float64Array(Math.max(channels, bias?.length ?? 0));
  for (let start = 0; start < data.length; start += size) {
    const sums = new Float64Array(channels);
    const counts = new Float64Array(channels);
    for (let i = start; i < start + size; i++) {
      const channel = Math.floor(i / stride) % channels;
      sums[channel] += Math.abs(data[i]);
      if (data[i] !== 0) counts[channel]++;
    }
    for (let c = 0; c < steps.length; c++) {
      const own = c % channels;
      const room = Math.max(1, MAX_SUM - reach * counts[own]);
      const least = (Math.abs(bias?.[c] ?? 0) / inputScale + reach * sums[own]) / room;
      steps[c] = Math.max(steps[c], least);
    }
  }
  return steps;
}
