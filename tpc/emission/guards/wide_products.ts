/**
 * Matrix products whose activations have more than 8 bits.
 *
 * No integer kernel takes them, and ONNX Runtime 1.32 then makes MatMulNBits of DequantizeLinear → MatMul or Gemm, which
 * rounds the activations to 8 bits block by block (accuracy level 4): 16 bits end worse than 8 (25.2 → 6.6 dB,
 * measured). The fusion wants steps for axis 1 of a matrix, or one for all of it; it doesn't know the same axis
 * counted from the end, which the ONNX specification allows.
 *
 * @module
 */
import { type NodeProto, TensorProto_DataType } from "../../../onnx/file/onnx_pb.ts";
import type { GraphIndex } from "../../../onnx/graph/graph_index.ts";
import { intAttribute, isOperator } from "../../../onnx/graph/node.ts";
import { codeType, quantizersBehind } from "./quantizer_paths.ts";

const { UINT8, INT8 } = TensorProto_DataType;

/**
 * The DequantizeLinear of the weights of a product that no integer kernel takes; undefined for other nodes.
 */
export function wideWeights(node: NodeProto, index: GraphIndex): NodeProto | undefined {
  if (!isOperator(node, "MatMul", "Gemm")) return undefined;
  const [input, weights] = [node.input[0], node.input[1]].map((name) => index.producers.get(name));
  if (weights?.opType !== "DequantizeLinear") return undefined;
  const codes = index.initializers.get(weights.input[0]);
  if (codes?.dims.length !== 2 || intAttribute(node, "transB", 0) !== 0) return undefined;
  const type = input?.opType === "DequantizeLinear" ? codeType(input, index) : undefined;
  const isInteger = (type === UINT8 || type === INT8) &&
    quantizersBehind(node.output[0], index, ["Add"]).every((quantizer) =>
      codeType(quantizer, index) === type
    );
  return isInteger ? undefined : weights;
}
