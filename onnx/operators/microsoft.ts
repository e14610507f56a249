/**
 * Operators of ONNX Runtime's own set, com.microsoft, as its optimizer and its exporters write them.
 *
 * @module
 */
import { each, type Operator, type Operators } from "./operator.ts";
import { DEQUANTIZE, QUANTIZE } from "./quantized.ts";
import { attended, sameShape, unknownShape } from "./shape_rules.ts";

/** Of these nothing is followed. */
const CODES = { shape: unknownShape, types: [], isQuantized: true } as const;
const PRODUCT = { shape: unknownShape, isLinear: true } as const;
const NORM = { shape: sameShape, types: [{ input: 0 }] } as const;
/** Its query, key and value; the rest are masks, lengths and a cache. */
const ATTENTION = { shape: attended, data: [0, 1, 2] } as const;

/** Records of ONNX Runtime's operators. */
export const MICROSOFT: Operators = {
  ...contrib(["QuantizeLinear"], QUANTIZE),
  ...contrib(["DequantizeLinear"], DEQUANTIZE),
  ...contrib(["DynamicQuantizeMatMul", "MatMulBnb4", "MatMulInteger16", "MatMulIntegerToFloat"], {
    ...CODES,
    isLinear: true,
  }),
  ...contrib(["MatMulNBits", "QGemm", "QLinearConv", "QOrderedMatMul"], {
    ...CODES,
    isLinear: true,
  }),
  ...contrib([
    ...["DynamicQuantizeLSTM", "GatherBlockQuantized", "QAttention", "QEmbedLayerNormalization"],
    ...["QLinearAdd", "QLinearAveragePool", "QLinearConcat", "QLinearGlobalAveragePool"],
    ...["QLinearLeakyRelu", "QLinearMul", "QLinearReduceMean", "QLinearSigmoid", "QLinearSoftmax"],
    ...["QLinearWhere", "QMoE", "QOrderedAttention", "QOrderedGelu", "QOrderedLayerNormalization"],
    ...["QOrderedLongformerAttention"],
  ], CODES),
  ...contrib(["FusedConv", "FusedGemm", "FusedMatMul", "NhwcFusedConv"], PRODUCT),
  ...contrib(["BiasGelu", "FastGelu", "Gelu", "QuickGelu"], {
    shape: sameShape,
    data: [0],
    nonNegativeWith: "first",
  }),
  ...contrib(["RotaryEmbedding"], { shape: sameShape, data: [0] }),
  ...contrib(["SkipLayerNormalization", "SkipSimplifiedLayerNormalization"], {
    ...NORM,
    data: [0, 1],
  }),
  ...contrib(["GroupNorm"], { ...NORM, data: [0] }),
  ...contrib(["GroupQueryAttention", "MultiHeadAttention"], ATTENTION),
  ...contrib(["Attention"], { shape: unknownShape, data: [0] }),
  ...contrib(["EmbedLayerNormalization"], { shape: unknownShape, types: [], data: [] }),
  // Written into the default set.
  SimplifiedLayerNormalization: { since: 1, ...NORM, data: [0] },
};

function contrib(names: readonly string[], record: Omit<Operator, "since">): Operators {
  return each(Object.fromEntries(names.map((name) => [`com.microsoft:${name}`, 1])), record);
}
