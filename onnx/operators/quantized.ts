/**
 * Operators that make, read or compute with integer codes.
 *
 * @module
 */
import { TensorProto_DataType } from "../file/onnx_pb.ts";
import type { Operators } from "./operator.ts";
import { convolved, multipliedStacks, sameShape } from "./shape_rules.ts";

const { FLOAT, INT32, UINT8 } = TensorProto_DataType;
const CONV = { group: 1, auto_pad: "NOTSET" } as const;
/** QuantizeLinear, in whichever operator set. */
export const QUANTIZE = {
  shape: sameShape,
  types: [{ attribute: "output_dtype", input: 2, otherwise: UINT8 }],
  data: [0],
  defaults: { axis: 1, block_size: 0, output_dtype: 0 },
  isQuantized: true,
} as const;
/** DequantizeLinear, in whichever operator set. */
export const DEQUANTIZE = {
  ...QUANTIZE,
  types: [{ attribute: "output_dtype", input: 1, otherwise: FLOAT }],
} as const;

/** Records of operators with codes. */
export const QUANTIZED: Operators = {
  QuantizeLinear: { since: 10, ...QUANTIZE },
  DequantizeLinear: { since: 10, ...DEQUANTIZE },
  DynamicQuantizeLinear: {
    since: 11,
    shape: sameShape,
    types: [UINT8, FLOAT, UINT8],
    isQuantized: true,
  },
  ConvInteger: {
    since: 10,
    shape: convolved(1),
    types: [INT32],
    isLinear: true,
    defaults: CONV,
    isQuantized: true,
  },
  MatMulInteger: {
    since: 10,
    shape: multipliedStacks(1),
    types: [INT32],
    isLinear: true,
    isQuantized: true,
  },
  QLinearConv: {
    since: 10,
    shape: convolved(3),
    types: [{ input: 7 }],
    isLinear: true,
    defaults: CONV,
    isQuantized: true,
  },
  QLinearMatMul: {
    since: 10,
    shape: multipliedStacks(3),
    types: [{ input: 7 }],
    isLinear: true,
    isQuantized: true,
  },
};
