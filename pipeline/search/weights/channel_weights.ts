/**
 * Weights that share a step.
 *
 * @module
 */
import type { Granularity } from "../../../tpc/core/types.ts";

/** A weight tensor, row-major, with the axis of its output channels. */
export interface WeightTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
  readonly axis: number;
}

/** The weights of each step: one output channel each, or all of them. Copies. */
export function* stepGroups(
  tensor: WeightTensor,
  granularity: Granularity,
): Iterable<Float64Array> {
  if (granularity === "tensor") yield Float64Array.from(tensor.data);
  else for (let c = 0; c < tensor.dims[tensor.axis]; c++) yield channelWeights(tensor, c);
}

function channelWeights({ data, dims, axis }: WeightTensor, channel: number): Float64Array {
  const stride = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const channels = dims[axis];
  const outer = data.length / stride / channels;
  const weights = new Float64Array(outer * stride);
  for (let o = 0; o < outer; o++) {
    const start = (o * channels + channel) * stride;
    weights.set(data.subarray(start, start + stride), o * stride);
  }
  return weights;
}
