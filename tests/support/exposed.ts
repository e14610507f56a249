/** Inner tensors of a model. */
import { create } from "@bufbuild/protobuf";
import { ValueInfoProtoSchema } from "../../onnx/file/onnx_pb.ts";
import type { Tensor } from "../../core/tensor.ts";
import { type Model, withFields } from "../../onnx/file/model.ts";
import { runModel } from "./run_model.ts";

/** What some tensors of a model hold for an input. */
export function runInside(
  model: Model,
  names: readonly string[],
  feeds: Record<string, Tensor>,
): Promise<Map<string, Tensor>> {
  const output = names.map((name) => create(ValueInfoProtoSchema, { name }));
  return runModel(withFields(model, { graph: withFields(model.graph, { output }) }), feeds);
}

/** Largest element of each channel of a tensor. */
export function channelMaxima({ data, dims }: Tensor, axis: number): Float64Array {
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const maxima = new Float64Array(dims[axis]).fill(-Infinity);
  data.forEach((value, i) => {
    const channel = Math.floor(i / inner) % dims[axis];
    maxima[channel] = Math.max(maxima[channel], value);
  });
  return maxima;
}
