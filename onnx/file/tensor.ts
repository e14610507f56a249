/**
 * Typed arrays to and from ONNX tensors.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import { type TensorProto, TensorProto_DataType, TensorProtoSchema } from "./onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";
import { typedElements } from "./check_tensor.ts";

/** Element types that this project makes or reads as numbers, by their ONNX number. */
const ARRAYS = {
  [TensorProto_DataType.FLOAT]: Float32Array,
  [TensorProto_DataType.DOUBLE]: Float64Array,
  [TensorProto_DataType.UINT8]: Uint8Array,
  [TensorProto_DataType.INT8]: Int8Array,
  [TensorProto_DataType.UINT16]: Uint16Array,
  [TensorProto_DataType.INT16]: Int16Array,
  [TensorProto_DataType.INT32]: Int32Array,
  [TensorProto_DataType.INT64]: BigInt64Array,
  [TensorProto_DataType.BOOL]: Uint8Array,
} as const;

/** Arrays that hold the elements of a tensor. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Int32Array
  | BigInt64Array;

/** Shape of a tensor as numbers; a scalar has none. */
export function dimensions(tensor: TensorProto): number[] {
  return tensor.dims.map(Number);
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** Bytes of the element types that {@linkcode tensorData} can't read but a model may hold. */
const OTHER_BYTES: Partial<Record<TensorProto_DataType, number>> = {
  [TensorProto_DataType.FLOAT16]: 2,
  [TensorProto_DataType.BFLOAT16]: 2,
  [TensorProto_DataType.UINT32]: 4,
  [TensorProto_DataType.UINT64]: 8,
};

/** Whether {@linkcode tensorData} can read the type of a tensor. */
export function holdsNumbers({ dataType }: TensorProto): boolean {
  return Object.hasOwn(ARRAYS, dataType);
}

/** Bytes that the elements of a tensor take when stored raw; undefined for types not known here. */
export function byteLength(tensor: TensorProto): number | undefined {
  const type = tensor.dataType as keyof typeof ARRAYS;
  const bytes = ARRAYS[type]?.BYTES_PER_ELEMENT ??
    OTHER_BYTES[tensor.dataType as TensorProto_DataType];
  return bytes === undefined ? undefined : bytes * elementCount(dimensions(tensor));
}

/**
 * Elements of a tensor, row-major, whether it stores them raw or in a typed field. A copy unless the
 * raw bytes happen to be aligned: don't write to it.
 *
 * @throws {PlimsollError} kind `model` when the type is not a plain number type or the data are short.
 */
export function tensorData(tensor: TensorProto): TensorData {
  const fail = (wanted: string, found: string) =>
    new PlimsollError("model", {
      action: `reading tensor ${JSON.stringify(tensor.name)}`,
      wanted,
      found,
      remedy: "Export the model again",
    });
  const type = tensor.dataType as keyof typeof ARRAYS;
  const ArrayType = ARRAYS[type];
  if (ArrayType === undefined) {
    throw fail("a number type", `ONNX element type ${TensorProto_DataType[type] ?? type}`);
  }
  const count = elementCount(dimensions(tensor));
  const typed = typedElements(tensor);
  const raw = tensor.rawData;
  const length = raw.length > 0 ? raw.length / ArrayType.BYTES_PER_ELEMENT : typed.length;
  if (length !== count) throw fail(`${count} elements`, `${length}`);
  if (raw.length === 0) {
    const make = ArrayType as unknown as { from(values: ArrayLike<unknown>): TensorData };
    return make.from(typed);
  }
  const aligned = raw.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0 ? raw : raw.slice();
  return new ArrayType(aligned.buffer, aligned.byteOffset, count);
}

/** Elements of a float32 tensor, or undefined when it has another type. */
export function floatData(tensor: TensorProto): Float32Array | undefined {
  return tensor.dataType === TensorProto_DataType.FLOAT
    ? tensorData(tensor) as Float32Array
    : undefined;
}

/** ONNX element type of a typed array; Uint8Array means UINT8, not BOOL. */
function typeOf(data: TensorData): TensorProto_DataType {
  for (const [type, ArrayType] of Object.entries(ARRAYS)) {
    if (data.constructor === ArrayType) return Number(type);
  }
  throw new TypeError(`No ONNX element type for ${data.constructor.name}`);
}

/** Makes a tensor; `dims` empty for a scalar. */
export function makeTensor(
  name: string,
  dims: readonly number[],
  data: TensorData,
  dataType: TensorProto_DataType = typeOf(data),
): TensorProto {
  if (elementCount(dims) !== data.length) {
    throw new RangeError(`Tensor ${name}: shape [${dims}] doesn't hold ${data.length} elements`);
  }
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType,
    rawData: bytes.slice(),
  });
}
