/**
 * Element types of tensors, as far as the file and a few rules give them.
 *
 * @module
 */
import { type GraphProto, TensorProto_DataType, type ValueInfoProto } from "onnx-buf";
import type { GraphIndex } from "../graph/graph_index.ts";
import { intAttribute, isOperator } from "../graph/node.ts";

/** ONNX element types by tensor name; a tensor of unknown type isn't there. */
export type ElementTypes = ReadonlyMap<string, TensorProto_DataType>;

/** Operators whose first output has the type of their first input. */
const SAME_TYPE = [
  ...["Abs", "Add", "AveragePool", "BatchNormalization", "Ceil", "Clip", "Concat", "Conv"],
  ...["ConvTranspose", "DepthToSpace", "Div", "Dropout", "Elu", "Erf", "Exp", "Expand", "Flatten"],
  ...["Floor", "Gather", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid"],
  ...["HardSwish", "Identity", "InstanceNormalization", "LRN", "LayerNormalization", "LeakyRelu"],
  ...[
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mish",
    "Mul",
    "Neg",
    "PRelu",
  ],
  ...["Pad", "Pow", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Relu"],
  ...["Reshape", "Resize", "Round", "Selu", "Sigmoid", "Slice", "Softmax", "Softplus", "Softsign"],
  ...["SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile", "Transpose"],
  ...["Unsqueeze", "Upsample"],
];

/** Finds the element types of a graph: declared ones first, then from each operator's inputs. */
export function inferTypes(graph: GraphProto, index: GraphIndex): ElementTypes {
  const types = new Map<string, TensorProto_DataType>();
  for (const tensor of graph.initializer) types.set(tensor.name, tensor.dataType);
  for (const info of [...graph.output, ...graph.valueInfo, ...graph.input]) {
    const type = declaredType(info);
    if (type !== undefined) types.set(info.name, type);
  }
  for (const node of index.nodes) {
    const input = types.get(node.input[0] ?? "");
    if (isOperator(node, "Cast")) types.set(node.output[0], intAttribute(node, "to", 0));
    else if (isOperator(node, "Shape", "Size")) {
      types.set(node.output[0], TensorProto_DataType.INT64);
    } else if (isOperator(node, ...SAME_TYPE) && input !== undefined) {
      const outputs = node.opType === "Split" ? node.output : node.output.slice(0, 1);
      for (const name of outputs) if (name !== "") types.set(name, input);
    }
  }
  return types;
}

function declaredType({ type }: ValueInfoProto): TensorProto_DataType | undefined {
  return type?.value.case === "tensorType" ? type.value.value.elemType : undefined;
}
