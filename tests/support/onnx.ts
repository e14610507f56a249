/** Small ONNX models, made in code. */
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "../../onnx/file/onnx_pb.ts";
import type { Model } from "../../onnx/file/model.ts";

const { FLOAT, INT, INTS, TENSOR } = AttributeProto_AttributeType;

/** A node; numbers become FLOAT attributes unless integer, arrays INTS, tensors TENSOR. */
export function node(
  opType: string,
  input: string[],
  output: string[],
  attributes: Record<string, number | number[] | TensorProto> = {},
): NodeProto {
  const attribute = Object.entries(attributes).map(([name, value]) => {
    if (Array.isArray(value)) {
      return create(AttributeProtoSchema, { name, type: INTS, ints: value.map(BigInt) });
    }
    if (typeof value === "object") {
      return create(AttributeProtoSchema, { name, type: TENSOR, t: value });
    }
    return Number.isInteger(value) && !["alpha", "beta", "epsilon"].includes(name)
      ? create(AttributeProtoSchema, { name, type: INT, i: BigInt(value) })
      : create(AttributeProtoSchema, { name, type: FLOAT, f: value });
  });
  return create(NodeProtoSchema, {
    opType,
    name: `${opType}_${output[0]}`,
    input,
    output,
    attribute,
  });
}

/** A tensor type note; strings are symbolic dimensions. */
export function value(name: string, shape: (number | string)[], elemType = 1): ValueInfoProto {
  const dim = shape.map((size) => ({
    value: typeof size === "number"
      ? { case: "dimValue" as const, value: BigInt(size) }
      : { case: "dimParam" as const, value: size },
  }));
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType, shape: { dim } } } },
  });
}

/** A model of opset 17 unless told otherwise. */
export function model(parts: {
  nodes: NodeProto[];
  inputs: ValueInfoProto[];
  outputs: ValueInfoProto[];
  initializers?: TensorProto[];
  opset?: number;
}): Model {
  return create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [create(OperatorSetIdProtoSchema, { version: BigInt(parts.opset ?? 17) })],
    graph: create(GraphProtoSchema, {
      name: "test",
      node: parts.nodes,
      input: parts.inputs,
      output: parts.outputs,
      initializer: parts.initializers ?? [],
    }),
  }) as Model;
}
