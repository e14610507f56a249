/**
 * Values of constant tensors, as the rewrites need them.
 *
 * @module
 */
import type { TensorProto } from "onnx-buf";
import type { GraphIndex } from "./graph_index.ts";
import { dimensions, floatData, tensorData } from "../file/tensor.ts";

/** A constant of float32 numbers. */
export interface FloatConstant {
  /** Its dimensions. */
  readonly dims: readonly number[];
  /** Its elements, row-major. Shared with the model: don't write to it. */
  readonly data: Float32Array;
}

/** What the functions here need to know of a graph. */
export type Constants = Pick<GraphIndex, "initializers">;

/** A float32 constant; undefined for a name that is none. */
export function constantFloats(
  index: Constants,
  name: string | undefined,
): FloatConstant | undefined {
  const tensor = lookUp(index, name);
  const data = tensor && floatData(tensor);
  return tensor && data && { dims: dimensions(tensor), data };
}

/** The elements of a constant of any number type; undefined for a name that is none. */
export function constantNumbers(index: Constants, name: string | undefined): number[] | undefined {
  const tensor = lookUp(index, name);
  return tensor && Array.from<number | bigint, number>(tensorData(tensor), Number);
}

function lookUp(index: Constants, name: string | undefined): TensorProto | undefined {
  return name === undefined || name === "" ? undefined : index.initializers.get(name);
}
