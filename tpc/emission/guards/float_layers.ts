/**
 * Float layers between quantizers.
 *
 * ONNX Runtime's WeightBiasQuantization (from level `basic` on; 1.30 and 1.32) takes DequantizeLinear → Conv,
 * ConvTranspose or Gemm with float weights → QuantizeLinear for a layer that somebody forgot, and quantizes its
 * weights with one step: what was left float because integers lose too much runs on integers after all (34.5 → 3.3
 * dB, measured). MatMul + Add becomes a Gemm before. In onnxruntime-web 1.30 depthwise layers of that kind don't even
 * load ("two nodes with same node name").
 *
 * @module
 */
import type { NodeProto } from "../../../onnx/file/onnx_pb.ts";
import type { GraphIndex } from "../../../onnx/graph/graph_index.ts";
import { intAttribute, isOperator } from "../../../onnx/graph/node.ts";
import { dequantizerBefore, quantizersBehind } from "./quantizer_paths.ts";

/** Whether the optimizer would quantize the weights of a layer that was left float. */
export function isUndone(node: NodeProto, index: GraphIndex): boolean {
  if (!isOperator(node, "Conv", "ConvTranspose", "Gemm", "MatMul")) return false;
  if (constantDims(node.input[1], index) === undefined) return false;
  const further = isOperator(node, "MatMul") ? ["Add"] : [];
  return dequantizerBefore(node.input[0], index) !== undefined &&
    quantizersBehind(node.output[0], index, further).length > 0;
}

/**
 * Where a layer with constant weights has the channels of its input: the axis, −1 for the last, and their number.
 * Undefined where the weights don't tell.
 */
export function inputChannels(
  node: NodeProto,
  index: GraphIndex,
): { readonly axis: number; readonly size: number } | undefined {
  const dims = constantDims(node.input[1], index);
  if (dims === undefined || dims.length < 2) return undefined;
  switch (node.opType) {
    case "Conv":
      return { axis: 1, size: dims[1] * intAttribute(node, "group", 1) };
    case "ConvTranspose":
      return { axis: 1, size: dims[0] };
    case "Gemm": {
      if (intAttribute(node, "transA", 0) !== 0) return undefined;
      return { axis: 1, size: dims[intAttribute(node, "transB", 0) === 0 ? 0 : 1] };
    }
    case "MatMul":
      return { axis: -1, size: dims.at(-2)! };
    default:
      return undefined;
  }
}

/** Operators that turn stored codes back into numbers of the same shape, and are folded as the model is loaded. */
const RESTORING = ["Cast", "Sub", "Mul"] as const;

/** Shape of constant weights, as they are or stored in codes. */
function constantDims(name: string, index: GraphIndex): number[] | undefined {
  const tensor = index.initializers.get(name);
  if (tensor !== undefined) return tensor.dims.map(Number);
  const producer = index.producers.get(name);
  return producer !== undefined && isOperator(producer, ...RESTORING)
    ? constantDims(producer.input[0], index)
    : undefined;
}
