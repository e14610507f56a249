/**
 * int8 codes at opset 21 beside operators that only move elements.
 *
 * ONNX Runtime moves quantizers through those (level `extended`, 1.30 and 1.32), and turns int8 into uint8 on x64 and in
 * WebAssembly. The QuantizeLinear that it puts behind them keeps its `output_dtype`, an attribute of opset 21, and is
 * then refused: "output_dtype INT8 does not match y_zero_point type UINT8". Where codes go in and come out nothing is
 * moved.
 *
 * @module
 */
import { type NodeProto, TensorProto_DataType } from "../../../onnx/file/onnx_pb.ts";
import type { GraphIndex } from "../../../onnx/graph/graph_index.ts";
import { codeType, movesQuantizers } from "./quantizer_paths.ts";

/** Whether a quantizer of int8 codes would be moved through a node. */
export function movesInt8(node: NodeProto, index: GraphIndex): boolean {
  if (!movesQuantizers(node)) return false;
  const isInt8 = (quantizer: NodeProto | undefined, op: string) =>
    quantizer?.opType === op && codeType(quantizer, index) === TensorProto_DataType.INT8;
  const before = isInt8(index.producers.get(node.input[0]), "DequantizeLinear");
  const behind = (index.consumers.get(node.output[0]) ?? []).map((reader) =>
    isInt8(reader, "QuantizeLinear")
  );
  return before ? behind.includes(false) || behind.length === 0 : behind.includes(true);
}
