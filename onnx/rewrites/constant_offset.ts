/**
 * Operators that an offset of all elements passes through: f(x + t) = f(x) + t.
 *
 * @module
 */
import type { NodeProto } from "../file/onnx_pb.ts";
import { constantFloats } from "../graph/constant_value.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { isOperator, stringAttribute } from "../graph/node.ts";
import { viewNode } from "../graph/node_view.ts";
import { keptBy } from "../operators/operators.ts";

/**
 * Whether an offset of its first input becomes the same offset of all its outputs that hold data, with
 * {@linkcode constantPadding} of a Pad raised by the offset, too.
 */
export function passesOffset(node: NodeProto, index: GraphIndex): boolean {
  if (isOperator(node, "Pad")) {
    return !padsConstant(node) || constantPadding(node, index) !== undefined;
  }
  return keptBy(viewNode(node)) !== undefined;
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
