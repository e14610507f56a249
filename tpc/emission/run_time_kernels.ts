/**
 * Kernels of what quantizes as the model runs, or has only its weights in codes, and why some aren't taken.
 *
 * The rules are those of ONNX Runtime's `matmul_integer_to_float.cc` and `dynamic_quantize_matmul_fusion.cc`, as measured
 * on 1.30 and 1.32.
 *
 * @module
 */
import { own } from "../../core/own.ts";
import { type NodeProto, TensorProto_DataType } from "../../onnx/file/onnx_pb.ts";
import type { GraphIndex } from "../../onnx/graph/graph_index.ts";
import { describeNode, intAttribute, isOperator } from "../../onnx/graph/node.ts";

/** Kernels that multiply codes, whatever types their inputs have. */
const INTEGER = new Set([
  ...["ConvInteger", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulInteger"],
  ...["MatMulIntegerToFloat"],
]);
/** Kernels that make floats of codes before they compute. */
const FLOAT: Readonly<Record<string, string>> = {
  MatMulNBits: "MatMulNBits computes in float; only its weights are codes, in blocks",
  GatherBlockQuantized: "it picks rows of codes and makes floats of them",
};

/** What such a kernel computes with; undefined for other kernels. */
export function runTimeArithmetic(kernel: string): "integer" | "float" | undefined {
  return INTEGER.has(kernel) ? "integer" : Object.hasOwn(FLOAT, kernel) ? "float" : undefined;
}

/** Why such a kernel computes in float, or stands by itself where one kernel could do all; undefined where neither is so. */
export function whyRunTime(
  node: NodeProto,
  kernel: string,
  index: GraphIndex,
): string | undefined {
  return own(FLOAT, kernel) ?? (kernel === "MatMulInteger" ? whyUnfused(node, index) : undefined);
}

/** The first rule that the operators behind a MatMulInteger break. */
function whyUnfused(node: NodeProto, index: GraphIndex): string {
  const apart = "integers, but Cast, Mul and Add run by themselves: ";
  const [cast, fault] = onlyReader(node, "Cast", index);
  if (cast === undefined) return apart + fault;
  if (intAttribute(cast, "to", 0) !== TensorProto_DataType.FLOAT) {
    return `${apart}${describeNode(cast)} doesn't make float32`;
  }
  const [product, why] = onlyReader(cast, "Mul", index);
  if (product === undefined) return apart + why;
  const other = product.input.find((name) => name !== cast.output[0]) ?? "";
  const scale = index.producers.get(other);
  if (scale === undefined || !isOperator(scale, "Mul")) {
    return `${apart}its scale ${
      JSON.stringify(other)
    } is no Mul of the input's step and the weights'`;
  }
  const readers = index.consumers.get(other) ?? [];
  if (readers.length > 1) return `${apart}${describeNode(readers[1])} reads its scale, too`;
  if (!index.initializers.has(node.input[1])) return `${apart}its weights aren't constant`;
  return `${apart}ONNX Runtime left them so, for a reason that isn't known here`;
}

function onlyReader(
  node: NodeProto,
  op: string,
  index: GraphIndex,
): [NodeProto, undefined] | [undefined, string] {
  const [output] = node.output;
  if (index.outputs.has(output)) return [undefined, `${describeNode(node)} makes an output`];
  const readers = index.consumers.get(output) ?? [];
  const stranger = readers.find((reader) => !isOperator(reader, op));
  if (stranger !== undefined) {
    return [undefined, `${describeNode(stranger)} reads what only a ${op} may`];
  }
  return readers.length === 1
    ? [readers[0], undefined]
    : [undefined, `${readers.length} nodes read ${JSON.stringify(output)}`];
}
