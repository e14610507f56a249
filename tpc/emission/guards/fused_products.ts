/**
 * MatMul + Add on int8 codes at opset 21.
 *
 * ONNX Runtime (level `basic`, 1.30 and 1.32) makes one Gemm of the two where the bias is a vector, with a Reshape on
 * either side when the input is no matrix. Quantizers are then moved through those, which fails for int8: see
 * `moved_int8.ts`. A bias that is a matrix of one row means the same and is left alone.
 *
 * @module
 */
import { type NodeProto, TensorProto_DataType } from "../../../onnx/file/onnx_pb.ts";
import type { GraphIndex } from "../../../onnx/graph/graph_index.ts";
import { isOperator } from "../../../onnx/graph/node.ts";
import { codeType, dequantizerBefore, quantizersBehind } from "./quantizer_paths.ts";

/** The node that has the bias, and the number of its input: the Add, or a DequantizeLinear before it. */
export interface VectorBias {
  readonly node: NodeProto;
  readonly input: number;
}

/** The vector that an Add behind a product of int8 codes adds; undefined for other nodes. */
export function int8Bias(node: NodeProto, index: GraphIndex): VectorBias | undefined {
  const readers = index.consumers.get(node.output[0]) ?? [];
  const [add] = readers;
  if (!isOperator(node, "MatMul") || readers.length !== 1 || !isOperator(add, "Add")) {
    return undefined;
  }
  const quantizers = [
    dequantizerBefore(node.input[0], index),
    ...quantizersBehind(add.output[0], index),
  ];
  const isInt8 = quantizers.some((quantizer) =>
    quantizer !== undefined && codeType(quantizer, index) === TensorProto_DataType.INT8
  );
  if (!isInt8) return undefined;
  const input = add.input.findIndex((name) => name !== node.output[0]);
  const isVector = (name: string | undefined) =>
    index.initializers.get(name ?? "")?.dims.length === 1;
  if (isVector(add.input[input])) return { node: add, input };
  const dequantizer = index.producers.get(add.input[input]);
  return dequantizer?.opType === "DequantizeLinear" && isVector(dequantizer.input[0])
    ? { node: dequantizer, input: 0 }
    : undefined;
}
