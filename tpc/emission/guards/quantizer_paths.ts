/**
 * Paths between a node and the quantizers around it, as ONNX Runtime's optimizers see them: they move quantizers
 * through operators that only move elements (QDQPropagationTransformer, 1.30 and 1.32).
 *
 * @module
 */
import type { NodeProto } from "../../../onnx/file/onnx_pb.ts";
import type { GraphIndex } from "../../../onnx/graph/graph_index.ts";
import { isOperator } from "../../../onnx/graph/node.ts";

/** Operators that a quantizer is moved through. */
const MOVED_THROUGH = ["MaxPool", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Slice"] as const;
/** Operators that an optimizer looks past on the way to a QuantizeLinear. */
const PASSED = [...MOVED_THROUGH, "Relu", "Clip"] as const;

/** Whether a quantizer can be moved from one end of a node to the other. */
export function movesQuantizers(node: NodeProto): boolean {
  return isOperator(node, ...MOVED_THROUGH);
}

/** The DequantizeLinear that a tensor comes from, moved on the way perhaps; undefined when there is none. */
export function dequantizerBefore(name: string, index: GraphIndex): NodeProto | undefined {
  let node = index.producers.get(name);
  while (node !== undefined && movesQuantizers(node)) node = index.producers.get(node.input[0]);
  return node?.opType === "DequantizeLinear" ? node : undefined;
}

/**
 * The QuantizeLinear nodes that a tensor goes to, by way of what is looked past.
 *
 * @param further Operators that are looked past, too.
 */
export function quantizersBehind(
  name: string,
  index: GraphIndex,
  further: readonly string[] = [],
): NodeProto[] {
  return (index.consumers.get(name) ?? []).flatMap((reader) => {
    if (reader.opType === "QuantizeLinear") return [reader];
    return isOperator(reader, ...PASSED, ...further)
      ? quantizersBehind(reader.output[0], index, further)
      : [];
  });
}

/** ONNX element type of the codes of a QuantizeLinear or DequantizeLinear with a zero point, as emission writes them. */
export function codeType({ input }: NodeProto, index: GraphIndex): number | undefined {
  return index.initializers.get(input[2] ?? "")?.dataType ??
    index.initializers.get(input[0])?.dataType;
}
