/**
 * Operators that a positive factor passes through: f(s·x) = s·f(x) for every s > 0.
 *
 * @module
 */
import type { NodeProto } from "onnx-buf";
import { constantFloats } from "../graph/constant_value.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { floatAttribute, isOperator, stringAttribute } from "../graph/node.ts";

/**
 * Operators that move, choose or average elements of their first input, or are linear on both sides of
 * 0. None takes anything else from it but its shape.
 */
const HOMOGENEOUS = [
  ...["MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"],
  ...["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"],
  ...["Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "DepthToSpace", "SpaceToDepth"],
  ...["Slice", "Gather", "Split", "Tile", "Expand", "Upsample"],
  ...["Identity", "Dropout", "Relu", "LeakyRelu", "PRelu"],
];

/** Whether a factor of its first input becomes the same factor of all its outputs that hold data. */
export function passesPositiveFactor(node: NodeProto, index: GraphIndex): boolean {
  if (isOperator(node, "Pad")) return padsZerosOrItself(node, index);
  // Outside the image there is a constant.
  if (isOperator(node, "Resize")) {
    return stringAttribute(node, "coordinate_transformation_mode", "") !== "tf_crop_and_resize";
  }
  return isOperator(node, ...HOMOGENEOUS);
}

/** Whether a Pad puts nothing but zeros, or elements of its input, around it. */
function padsZerosOrItself(pad: NodeProto, index: GraphIndex): boolean {
  if (stringAttribute(pad, "mode", "constant") !== "constant") return true;
  const name = pad.input[2] ?? "";
  return name === ""
    ? floatAttribute(pad, "value", 0) === 0
    : constantFloats(index, name)?.data[0] === 0;
}
