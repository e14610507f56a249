/**
 * Whether a tensor of a file is what it says: a type that is known, a shape, and as many elements as that has. Models
 * come from strangers; whatever reads a tensor later may rely on this.
 *
 * @module
 */
import { type TensorProto, TensorProto_DataLocation, TensorProto_DataType } from "./onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";

/** How a type lies in a file. */
interface Layout {
  /** Bits of an element in `raw_data`. */
  readonly bits: number;
  /** The field that holds elements when they aren't raw. */
  readonly field: "floatData" | "int32Data" | "int64Data" | "uint64Data" | "doubleData";
  /** Entries of that field for an element, default 1. */
  readonly entries?: number;
}

const T = TensorProto_DataType;
const small = { bits: 8, field: "int32Data" } as const;
const half = { bits: 16, field: "int32Data" } as const;

/** Layout of each type but strings (onnx.proto, TensorProto). */
const LAYOUTS: Readonly<Partial<Record<TensorProto_DataType, Layout>>> = {
  [T.FLOAT]: { bits: 32, field: "floatData" },
  [T.COMPLEX64]: { bits: 64, field: "floatData", entries: 2 },
  [T.INT32]: { bits: 32, field: "int32Data" },
  [T.UINT8]: small,
  [T.INT8]: small,
  [T.BOOL]: small,
  [T.FLOAT8E4M3FN]: small,
  [T.FLOAT8E4M3FNUZ]: small,
  [T.FLOAT8E5M2]: small,
  [T.FLOAT8E5M2FNUZ]: small,
  [T.FLOAT8E8M0]: small,
  [T.UINT16]: half,
  [T.INT16]: half,
  [T.FLOAT16]: half,
  [T.BFLOAT16]: half,
  [T.INT64]: { bits: 64, field: "int64Data" },
  [T.UINT32]: { bits: 32, field: "uint64Data" },
  [T.UINT64]: { bits: 64, field: "uint64Data" },
  [T.DOUBLE]: { bits: 64, field: "doubleData" },
  [T.COMPLEX128]: { bits: 128, field: "doubleData", entries: 2 },
  // Two an entry, as in a byte.
  [T.UINT4]: { bits: 4, field: "int32Data", entries: 0.5 },
  [T.INT4]: { bits: 4, field: "int32Data", entries: 0.5 },
  [T.FLOAT4E2M1]: { bits: 4, field: "int32Data", entries: 0.5 },
};

/** Elements of a tensor beyond which no file could hold them. */
const MAX_ELEMENTS = 2 ** 40;

/** Numbers of a tensor that aren't raw, in the field of its type. */
export function typedElements(tensor: TensorProto): readonly number[] | readonly bigint[] {
  const layout = LAYOUTS[tensor.dataType as TensorProto_DataType];
  return layout === undefined ? [] : tensor[layout.field];
}

/**
 * Checks a tensor whose data are here, and one whose data are elsewhere as far as that goes.
 *
 * @throws {PlimsollError} kind `model`.
 */
export function checkTensor(tensor: TensorProto): void {
  const fail = (wanted: string, found: string) =>
    new PlimsollError("model", {
      action: `reading tensor ${JSON.stringify(tensor.name)}`,
      wanted,
      found,
      remedy: "Check the model with onnx.checker and export it again",
    });
  let count = 1;
  for (const dim of tensor.dims) count *= Number(dim);
  if (!tensor.dims.every((dim) => dim >= 0n) || count > MAX_ELEMENTS) {
    throw fail("a shape that a file can hold", `[${tensor.dims}]`);
  }
  const type = tensor.dataType as TensorProto_DataType;
  const layout = LAYOUTS[type];
  if (layout === undefined && type !== T.STRING) {
    throw fail("an element type that is known", `number ${type}`);
  }
  if (tensor.dataLocation === TensorProto_DataLocation.EXTERNAL) return;
  if (layout === undefined) {
    const { length } = tensor.stringData;
    if (length !== count) throw fail(`${count} strings for its shape`, `${length}`);
    return;
  }
  if (tensor.rawData.length > 0) {
    const bytes = Math.ceil(count * layout.bits / 8);
    if (tensor.rawData.length !== bytes) {
      throw fail(`${bytes} bytes for its type and shape`, `${tensor.rawData.length}`);
    }
    return;
  }
  const wanted = Math.ceil(count * (layout.entries ?? 1));
  const { length } = tensor[layout.field];
  if (length !== wanted) throw fail(`${wanted} elements for its type and shape`, `${length}`);
}
