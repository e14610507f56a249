/**
 * Values of constant tensors, as the rewrites need them.
 *
 * @module
 */
import type { TensorProto } from "../file/onnx_pb.ts";
import type { GraphIndex } from "./graph_index.ts";
import { dimensions, floatData, holdsNumbers, tensorData } from "../file/tensor.ts";

/** A constant of float32 numbers. */
export interface FloatConstant {
  /** Its dimensions. */
  readonly dims: readonly number[];
  /** Its elements, row-major. Shared with the model: don't write to it. */
  readonly data: Float32Array;
}

/** What the functions here need to know of a graph. */
export type Initializers = Pick<GraphIndex, "initializers">;

/** A float32 constant; undefined for a name that is none. */
export function constantFloats(
  index: Initializers,
  name: string | undefined,
): FloatConstant | undefined {
  const tensor = lookUp(index, name);
  const data = tensor && floatData(tensor);
  return tensor && data && { dims: dimensions(tensor), data };
}

/** The elements of a constant of any number type; undefined for a name that is none, and for other types. */
export function constantNumbers(
  index: Initializers,
  name: string | undefined,
): number[] | undefined {
  const tensor = lookUp(index, name);
  return tensor && holdsNumbers(tensor)
    ? Array.from<number | bigint, number>(tensorData(tensor), Number)
    : undefined;
}

function lookUp(index: Initializers, name: string | undefined): TensorProto | undefined {
  return name === undefined || name === "" ? undefined : index.initializers.get(name);
}
