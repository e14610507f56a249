/**
 * Inputs and outputs of models that are made, not read.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import {
  TensorProto_DataType,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "../file/onnx_pb.ts";

/** A float32 tensor of dimensions that have names instead of sizes, a scalar where there are none; of any rank without. */
export function floatValue(name: string, dimensions?: readonly string[]): ValueInfoProto {
  const dim = dimensions?.map((value) => ({ value: { case: "dimParam" as const, value } }));
  const elemType = TensorProto_DataType.FLOAT;
  const shape = dim === undefined ? {} : { shape: { dim } };
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType, ...shape } } },
  });
}
