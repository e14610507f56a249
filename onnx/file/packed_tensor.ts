/**
 * Tensors of four-bit integers.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import { type TensorProto, TensorProto_DataType, TensorProtoSchema } from "./onnx_pb.ts";

/**
 * Packs codes two a byte, the first in the low half (ONNX, `onnx.proto`, raw_data of INT4 and UINT4).
 *
 * @param codes −8 … 7 for int4, 0 … 15 for uint4.
 */
export function makePackedTensor(
  name: string,
  dims: readonly number[],
  codes: ArrayLike<number>,
  type: "int4" | "uint4",
): TensorProto {
  const rawData = new Uint8Array(Math.ceil(codes.length / 2));
  for (let i = 0; i < codes.length; i++) rawData[i >> 1] |= (codes[i] & 15) << (i % 2 * 4);
  return create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: type === "int4" ? TensorProto_DataType.INT4 : TensorProto_DataType.UINT4,
    rawData,
  });
}
