/**
 * Weights that share a step.
 *
 * @module
 */
import type { WeightSpec } from "../../../core/types.ts";
import { elementCount } from "../../../onnx/file/tensor.ts";

/** A weight tensor, row-major, with the axis of its output channels, or of its blocks. */
export interface WeightTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
  readonly axis: number;
}

/** The weights of each step: those of an output channel, all of them, or those of a block. Copies. */
export function* stepGroups(
  tensor: WeightTensor,
  { granularity, blockSize = 1 }: WeightSpec,
): Iterable<Float64Array> {
  if (granularity === "tensor") yield Float64Array.from(tensor.data);
  else if (granularity === "block") yield* blocks(tensor, blockSize);
  else for (let c = 0; c < tensor.dims[tensor.axis]; c++) yield channelWeights(tensor, c);
}

/** Blocks in the order of their first weights, which is that of their scales. */
function* blocks({ data, dims, axis }: WeightTensor, size: number): Iterable<Float64Array> {
  const stride = elementCount(dims.slice(axis + 1));
  for (let start = 0; start < data.length; start += stride * size) {
    for (let inner = 0; inner < stride; inner++) {
      yield Float64Array.from({ length: size }, (_, k) => data[start + k * stride + inner]);
    }
  }
}

function channelWeights({ data, dims, axis }: WeightTensor, channel: number): Float64Array {
  const stride = elementCount(dims.slice(axis + 1));
  const channels = dims[axis];
  const outer = data.length / stride / channels;
  const weights = new Float64Array(outer * stride);
  for (let o = 0; o < outer; o++) {
    const start = (o * channels + channel) * stride;
    weights.set(data.subarray(start, start + stride), o * stride);
  }
  return weights;
}
