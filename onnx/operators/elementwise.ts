/**
 * Operators on single elements: functions of one tensor, arithmetic, comparisons, casts.
 *
 * @module
 */
import { TensorProto_DataType } from "../file/onnx_pb.ts";
import type { Constants, NodeView } from "../graph/node_view.ts";
import { each, type Operators, type Range } from "./operator.ts";
import { broadcast, oneAxisMore, sameShape } from "./shape_rules.ts";

const { BOOL, INT64, STRING } = TensorProto_DataType;
const POINTWISE = { shape: sameShape } as const;
const BROADCAST = { shape: broadcast } as const;
const TEST = { shape: broadcast, types: [BOOL] } as const;
/** A function that is linear on both sides of 0. */
const BENT = { shape: sameShape, homogeneous: "elements", nonNegativeWith: "first" } as const;
/** A function with a small negative side, or one that is bent softly. */
const SOFT = { shape: sameShape, nonNegativeWith: "first" } as const;

/** Records of operators on single elements. */
export const ELEMENTWISE: Operators = {
  ...each({ Acos: 7, Acosh: 9, Asin: 7, Asinh: 9, Atan: 7, Atanh: 9, Cosh: 9 }, POINTWISE),
  ...each({ Ceil: 1, Floor: 1, Log: 1, Reciprocal: 1, Round: 11, Sinh: 9, Tan: 7 }, POINTWISE),
  ...each({ Cos: 7, Erf: 9, Sign: 9, Sin: 7, Softsign: 1 }, { ...POINTWISE, range: [-1, 1] }),
  ...each({ Exp: 1, Softplus: 1, Sqrt: 1 }, { ...POINTWISE, range: [0, Infinity] }),
  Abs: { since: 1, ...POINTWISE, range: [0, Infinity], homogeneous: "elements" },
  Neg: { since: 1, ...POINTWISE, homogeneous: "elements", passesMask: true },
  ...each({ BitwiseNot: 18, Not: 1 }, POINTWISE),
  ...each({ IsInf: 10, IsNaN: 9 }, { ...POINTWISE, types: [BOOL] }),

  // Activation functions.
  Relu: { since: 1, ...BENT, clamp: () => [0, Infinity] },
  Clip: { since: 1, ...POINTWISE, data: [0], clamp: clipBounds, hasSettings: true },
  LeakyRelu: { since: 1, ...BENT, defaults: { alpha: 0.01 } },
  // A slope belongs to an element, whatever its factor.
  PRelu: { since: 1, ...BENT, data: [0] },
  ThresholdedRelu: { since: 10, ...SOFT, defaults: { alpha: 1 } },
  Elu: { since: 1, ...SOFT, defaults: { alpha: 1 } },
  Celu: { since: 12, ...SOFT, defaults: { alpha: 1 } },
  Selu: { since: 1, ...SOFT },
  Gelu: { since: 20, ...SOFT, defaults: { approximate: "none" } },
  ...each({ HardSwish: 14, Mish: 18 }, SOFT),
  Swish: { since: 24, ...SOFT, defaults: { alpha: 1 } },
  Shrink: { since: 9, ...POINTWISE },
  Sigmoid: { since: 1, ...POINTWISE, range: [0, 1] },
  HardSigmoid: { since: 1, ...POINTWISE, range: [0, 1], defaults: { alpha: 0.2, beta: 0.5 } },
  Tanh: { since: 1, ...POINTWISE, range: [-1, 1] },

  // Arithmetic.
  ...each({ Add: 1, Mul: 1 }, {
    ...BROADCAST,
    nonNegativeWith: "all",
    passesMask: true,
    isCommutative: true,
  }),
  ...each({ Sum: 1, Mean: 1 }, { ...BROADCAST, nonNegativeWith: "all", passesMask: true }),
  ...each({ Max: 1, Min: 1 }, {
    ...BROADCAST,
    joins: true,
    nonNegativeWith: "all",
    isCommutative: true,
  }),
  Sub: { since: 1, ...BROADCAST, passesMask: true },
  Div: { since: 1, ...BROADCAST },
  Mod: { since: 10, ...BROADCAST },
  Pow: { since: 1, ...BROADCAST, data: [0] },
  Where: {
    since: 9,
    ...BROADCAST,
    types: [{ input: 1 }],
    data: [1, 2],
    joins: true,
    nonNegativeWith: "all",
    passesMask: true,
  },
  ...each({ BitShift: 11, BitwiseAnd: 18, BitwiseOr: 18, BitwiseXor: 18 }, BROADCAST),

  // Comparisons and logic.
  ...each({ Equal: 1, Greater: 1, GreaterOrEqual: 12, Less: 1, LessOrEqual: 12 }, TEST),
  ...each({ And: 1, Or: 1, Xor: 1 }, TEST),

  // Types and strings.
  Cast: { since: 1, ...POINTWISE, types: [{ attribute: "to" }], data: [0], passesMask: true },
  CastLike: { since: 15, ...POINTWISE, types: [{ input: 1 }], data: [0], passesMask: true },
  StringConcat: { since: 20, ...BROADCAST },
  StringSplit: { since: 20, shape: oneAxisMore, types: [STRING, INT64] },
  RegexFullMatch: { since: 20, ...POINTWISE, types: [BOOL] },
};

/** Bounds of a Clip: attributes up to opset 10, inputs from 11 on. */
function clipBounds({ inputs, attributes }: NodeView, constants: Constants): Range | undefined {
  const bound = (input: number, attribute: string, fallback: number) => {
    const name = inputs[input] ?? "";
    if (name !== "") return constants.numbers(name)?.[0];
    const value = attributes[attribute];
    return typeof value === "number" ? value : fallback;
  };
  const [low, high] = [bound(1, "min", -Infinity), bound(2, "max", Infinity)];
  return low === undefined || high === undefined ? undefined : [low, high];
}
