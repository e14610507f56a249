/**
 * Integer layers whose sums would pass int32.
 *
 * Steps leave room for them (`leastSteps`), but a manifest may be older than that rule, or edited, and codes from a
 * file aren't the nearest ones. Such a layer is kept from the integer kernel, which would wrap without a word.
 *
 * @module
 */
import { type NodeProto, TensorProto_DataType } from "../../../onnx/file/onnx_pb.ts";
import { constantNumbers } from "../../../onnx/graph/constant_value.ts";
import type { GraphIndex } from "../../../onnx/graph/graph_index.ts";
import { intAttribute, isOperator } from "../../../onnx/graph/node.ts";
import { CODE_LIMITS, readCodes } from "../../../onnx/quantized/codes.ts";
import { dimensions, elementCount } from "../../../onnx/file/tensor.ts";
import { codeType } from "./quantizer_paths.ts";

const { UINT8, INT8 } = TensorProto_DataType;
const MAX_SUM = 2 ** 31 - 1;

/** Whether |bias| + Σ|weight|·range of some output channel of a layer passes int32. */
export function canWrap(node: NodeProto, index: GraphIndex): boolean {
  if (!isOperator(node, "Conv", "Gemm", "MatMul")) return false;
  const [input, weights, bias] = node.input.map((name) => dequantizer(name, index));
  const type = input && codeType(input, index);
  const tensor = index.initializers.get(weights?.input[0] ?? "");
  if (type !== UINT8 && type !== INT8 || tensor === undefined) return false;
  // Integer kernels take weights of 8 bits only.
  if (tensor.dataType !== UINT8 && tensor.dataType !== INT8) return false;
  const codes = readCodes(tensor)!;
  const dims = dimensions(tensor);
  const [least, most] = CODE_LIMITS[type]!;
  const zeros = constantNumbers(index, weights!.input[2]) ?? [0];
  // Output channels lie along axis 0 of a Conv and of a transposed Gemm, else along the last one.
  const isFirst = isOperator(node, "Conv") || intAttribute(node, "transB", 0) !== 0;
  const channels = isFirst ? dims[0] : dims.length < 2 ? 1 : dims.at(-1)!;
  const stride = isFirst ? elementCount(dims.slice(1)) : dims.length < 2 ? codes.length : 1;
  const matrix = isOperator(node, "MatMul") && dims.length > 2
    ? elementCount(dims.slice(-2))
    : codes.length;
  const biasCodes = constantNumbers(index, (bias ?? biasBehind(node, index))?.input[0]) ?? [];
  for (let start = 0; start < codes.length; start += matrix) {
    const sums = Float64Array.from({ length: channels }, (_, c) => Math.abs(biasCodes[c] ?? 0));
    for (let i = start; i < start + matrix; i++) {
      const channel = Math.floor(i / stride) % channels;
      const zero = zeros[zeros.length === 1 ? 0 : channel];
      sums[channel] += Math.abs(codes[i] - zero) * (most - least);
    }
    if (sums.some((sum) => sum > MAX_SUM)) return true;
  }
  return false;
}

/** The DequantizeLinear of the bias that a MatMul gets from an Add. */
function biasBehind(node: NodeProto, index: GraphIndex): NodeProto | undefined {
  const readers = index.consumers.get(node.output[0]) ?? [];
  if (!isOperator(node, "MatMul") || readers.length !== 1 || !isOperator(readers[0], "Add")) {
    return undefined;
  }
  return readers[0].input.map((name) => dequantizer(name, index)).find((found) =>
    found !== undefined
  );
}

function dequantizer(name: string, index: GraphIndex): NodeProto | undefined {
  const producer = index.producers.get(name);
  return producer?.opType === "DequantizeLinear" ? producer : undefined;
}
