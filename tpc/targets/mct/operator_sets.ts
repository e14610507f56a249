/**
 * What the names of MCT's operator sets (`OperatorSetNames` of schema versions 1 and 2, MCT 2.6.1) mean in ONNX:
 * what PyTorch's and tf2onnx' exporters write for the layers that MCT's `attach2pytorch.py` and `attach2keras.py`
 * attach to them. Operators are those of ONNX, or composites of `placement/composite_library.ts`.
 *
 * @module
 */
import { operatorNamed } from "../../../onnx/operators/operators.ts";

/** Operators of one set, or why ONNX has none. */
export type MctOperators =
  | { readonly operators: readonly string[] }
  | { readonly operators: readonly []; readonly reason: string };

/**
 * By the name of the set. Where two sets mean one operator, the one that stands first here counts in a platform that
 * has both: ReLU6 and HardTanh are both Clip in ONNX.
 */
export const MCT_OPERATOR_SETS: ReadonlyMap<string, MctOperators> = new Map(Object.entries({
  Conv: of("Conv"),
  DepthwiseConv2D: of("Conv"),
  ConvTranspose: of("ConvTranspose"),
  FullyConnected: of("Gemm", "MatMul"),
  Concatenate: of("Concat"),
  Stack: none("exporters write Unsqueeze and Concat for it, whose sets count"),
  SplitChunk: of("Split"),
  Unstack: none("exporters write Split and Squeeze for it, whose sets count"),
  Gather: of("Gather", "GatherElements", "GatherND"),
  Take: of("Gather"),
  IndexSelect: of("Gather"),
  StridedSlice: of("Slice"),
  GetItem: of("Slice", "Gather"),
  Expend: of("Expand"), // MCT's spelling
  BatchNorm: of("BatchNormalization"),
  L2Norm: of("LpNormalization"),
  ReLU: of("Relu"),
  ReLU6: of("Clip"),
  HardTanh: of("Clip"),
  LeakyReLU: of("LeakyRelu"),
  PReLU: of("PRelu"),
  Elu: of("Elu"),
  Swish: of("Silu"),
  Gelu: of("Gelu"),
  Sigmoid: of("Sigmoid"),
  HardSigmoid: of("HardSigmoid"),
  HardSwish: of("HardSwish"),
  Tanh: of("Tanh"),
  Softmax: of("Softmax"),
  LogSoftmax: of("LogSoftmax"),
  AddBias: of("AddBias"),
  Add: of("Add", "AddBias"),
  Sub: of("Sub"),
  Mul: of("Mul"),
  Div: of("Div"),
  Min: of("Min"),
  Max: of("Max"),
  Exp: of("Exp"),
  Sin: of("Sin"),
  Cos: of("Cos"),
  Flatten: of("Flatten"),
  Reshape: of("Reshape"),
  Unsqueeze: of("Unsqueeze"),
  Squeeze: of("Squeeze"),
  Transpose: of("Transpose"),
  Permute: of("Transpose"),
  MaxPool: of("MaxPool"),
  AvgPool: of("AveragePool"),
  Resize: of("Resize", "Upsample"),
  Pad: of("Pad"),
  ZeroPadding2D: of("Pad"),
  Fold: of("Col2Im"),
  Cast: of("Cast"),
  Size: of("Size"),
  Shape: of("Shape"),
  Equal: of("Equal"),
  ArgMax: of("ArgMax"),
  TopK: of("TopK"),
  CombinedNonMaxSuppression: of("NonMaxSuppression"),
  Dropout: none("it does nothing at inference and is removed from the model"),
  FakeQuant: none(
    "ONNX has QuantizeLinear and DequantizeLinear for it, which are left as they are",
  ),
  SSDPostProcess: none("ONNX has no such operator"),
}));

/** Operators that MCT's `default_qco` holds for, beside those of the sets: MCT has no set for their layers. */
export const OTHER_OPERATORS: readonly string[] = [
  ...["GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"],
  ...["LayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization"],
  ...["Erf", "Pow", "Sqrt", "Reciprocal", "Abs", "Neg", "Log", "Mish", "Softplus", "Selu", "Celu"],
  ...["Tile", "DepthToSpace", "SpaceToDepth"],
];

/** Whether an operator has a kernel (`kernel_attr` in MCT): what quantization is for. */
export function hasKernel(op: string): boolean {
  return operatorNamed(op)?.weights !== undefined;
}

/** Whether a set, by its name, holds such operators. */
export function isKernelSet(name: string): boolean {
  return MCT_OPERATOR_SETS.get(name)?.operators.some(hasKernel) ?? false;
}

/** Operators that average: without a quantizer behind them their output is float. */
export const AVERAGING_OPERATORS: readonly string[] = ["AveragePool", "Resize", "Upsample"];

/** Whether an operator only moves, picks or averages values: what it gives can have the grid of its input. */
export function keepsGrid(op: string): boolean {
  return operatorNamed(op)?.keeps === "elements" && !isIndex(op) || op === "Pad" ||
    AVERAGING_OPERATORS.includes(op);
}

/** Whether the output of an operator is an index, a shape or a type, never an activation. */
export function isIndex(op: string): boolean {
  const [type] = operatorNamed(op)?.types ?? [];
  return typeof type === "number" || op === "Cast" || op === "TopK";
}

function of(...operators: string[]): MctOperators {
  return { operators };
}

function none(reason: string): MctOperators {
  return { operators: [], reason };
}
