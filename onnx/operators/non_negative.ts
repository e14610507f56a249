/**
 * Which tensors hold no negative element, whatever the input of the model.
 *
 * @module
 */
import type { NodeProto } from "onnx-buf";
import { constantFloats, constantNumbers } from "../graph/constant_value.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { isOperator } from "../graph/node.ts";

/** Operators whose results are never negative. */
const SOURCES = ["Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Abs", "Exp", "Sqrt"];
/** Operators whose results are not negative when their first input isn't. */
const CARRIERS = [
  ...["MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "Dropout", "Identity"],
  ...["Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "HardSwish"],
];
/** Operators whose results are not negative when none of their inputs is. */
const COMBINERS = ["Add", "Mul", "Concat", "Max", "Min", "Sum", "Mean"];

/** Names of the tensors that provably hold no element below 0. */
export function nonNegativeTensors(index: GraphIndex): Set<string> {
  const known = new Set<string>();
  const isKnown = (name: string) =>
    known.has(name) ||
    (constantFloats(index, name)?.data.every((value) => value >= 0) ?? false);
  for (const node of index.nodes) {
    if (
      isOperator(node, ...SOURCES) || isClipAtZero(node, index) ||
      isOperator(node, ...CARRIERS) && isKnown(node.input[0]) ||
      isOperator(node, ...COMBINERS) && node.input.every(isKnown)
    ) known.add(node.output[0]);
  }
  return known;
}

function isClipAtZero(node: NodeProto, index: GraphIndex): boolean {
  return isOperator(node, "Clip") && (constantNumbers(index, node.input[1])?.[0] ?? -1) >= 0;
}
