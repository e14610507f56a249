/**
 * Operators that an offset of all elements passes through: f(x + t) = f(x) + t.
 *
 * @module
 */
import type { NodeProto } from "onnx-buf";
import { constantFloats } from "../graph/constant_value.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { intAttribute, intsAttribute, isOperator, stringAttribute } from "../graph/node.ts";

/** Operators that move, choose or average elements of their first input and bring no others. */
const TRANSLATED = [
  // MaxPool pads with −∞.
  ...["MaxPool", "GlobalMaxPool", "GlobalAveragePool", "ReduceMean", "ReduceMax", "ReduceMin"],
  ...["Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "DepthToSpace", "SpaceToDepth"],
  ...["Slice", "Gather", "Split", "Tile", "Expand", "Identity"],
];

/**
 * Whether an offset of its first input becomes the same offset of all its outputs that hold data, with
 * {@linkcode constantPadding} of a Pad raised by the offset, too.
 */
export function passesOffset(node: NodeProto, index: GraphIndex): boolean {
  if (isOperator(node, "AveragePool")) return averagesInputOnly(node);
  if (isOperator(node, "Resize", "Upsample")) return interpolatesInputOnly(node);
  if (isOperator(node, "Pad")) {
    return !padsConstant(node) || constantPadding(node, index) !== undefined;
  }
  return isOperator(node, ...TRANSLATED);
}

/** Whether a Pad puts a constant around its input, and not elements of it. */
export function padsConstant(pad: NodeProto): boolean {
  return stringAttribute(pad, "mode", "constant") === "constant";
}

/** What a Pad of opset 11 or newer puts around its input; undefined when it is computed. */
export function constantPadding(pad: NodeProto, index: GraphIndex): number | undefined {
  const name = pad.input[2] ?? "";
  return name === "" ? 0 : constantFloats(index, name)?.data[0];
}

/** Whether no padding counts in the averages. */
function averagesInputOnly(pool: NodeProto): boolean {
  if (intAttribute(pool, "count_include_pad", 0) === 0) return true;
  const hasNoPads = (intsAttribute(pool, "pads") ?? []).every((size) => size === 0);
  const isPlain = ["NOTSET", "VALID"].includes(stringAttribute(pool, "auto_pad", "NOTSET"));
  return hasNoPads && isPlain && intAttribute(pool, "ceil_mode", 0) === 0;
}

/** Whether each result is one element or a weighted mean of several. */
function interpolatesInputOnly(node: NodeProto): boolean {
  const coordinates = stringAttribute(node, "coordinate_transformation_mode", "");
  return stringAttribute(node, "mode", "nearest") !== "cubic" &&
    coordinates !== "tf_crop_and_resize";
}
