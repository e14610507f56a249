/**
 * Numbers of float16 (IEEE 754, binary16), in engines without Float16Array as well.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import { roundHalfEven } from "../../core/grid.ts";
import { type TensorProto, TensorProto_DataType, TensorProtoSchema } from "./onnx_pb.ts";

/** Largest number of float16. */
export const MAX_HALF = 65504;
/** Smallest normal number; below it steps are all 2^−24. */
const LEAST_NORMAL = 2 ** -14;
const view = new DataView(new ArrayBuffer(4));

/** The 16 bits of the nearest float16, ties to even. What rounds beyond {@linkcode MAX_HALF} is infinite. */
export function toHalf(x: number): number {
  view.setFloat32(0, x);
  const bits = view.getUint32(0);
  const sign = (bits >>> 31) << 15;
  const size = Math.abs(x);
  if (Number.isNaN(x)) return sign | 0x7e00;
  if (size < LEAST_NORMAL) return sign | roundHalfEven(size * 2 ** 24);
  // 65,520 lies in the middle between the largest number and the next one, which would be even.
  if (size >= 65520) return sign | 0x7c00;
  const exponent = ((bits >>> 23) & 255) - 127;
  // A fraction that rounds up to 1024 carries into the exponent, as it should.
  return sign | (((exponent + 15) << 10) + roundHalfEven((size / 2 ** exponent - 1) * 1024));
}

/** The number that 16 bits stand for. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** A tensor of float16 from float32 numbers. */
export function makeHalfTensor(
  name: string,
  dims: readonly number[],
  data: Float32Array,
): TensorProto {
  const rawData = new Uint8Array(2 * data.length);
  const bytes = new DataView(rawData.buffer);
  data.forEach((x, i) => bytes.setUint16(2 * i, toHalf(x), true));
  return create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: TensorProto_DataType.FLOAT16,
    rawData,
  });
}
