/**
 * What the quantizer knows about ONNX operators, whatever the target.
 *
 * @module
 */
import type { AttributeValue } from "../graph/node.ts";
import type { ElementType, GraphOutline, OutlineConstant, OutlineNode } from "../graph/outline.ts";

/** Where an operator keeps its weights. */
export interface WeightSlot {
  /** Number of the input that holds the weights. */
  readonly input: number;
  /** Number of the input that holds the bias; undefined for operators without one. */
  readonly bias?: number;
  /** Axis of the output channels in the weight tensor; negative ones count from the end. */
  readonly axis: number;
}

/** Where Conv, ConvTranspose and Gemm have their bias. */
export const BIAS_INPUT = 2;

/** Weight slot of an operator, or undefined for operators without weights. */
export function weightSlot(node: OutlineNode): WeightSlot | undefined {
  if (node.domain !== "") return undefined;
  switch (node.op) {
    case "Conv":
      return { input: 1, bias: BIAS_INPUT, axis: 0 };
    case "ConvTranspose":
      return { input: 1, bias: BIAS_INPUT, axis: 1 };
    case "Gemm":
      return { input: 1, bias: BIAS_INPUT, axis: node.attributes.transB === 1 ? 0 : 1 };
    case "MatMul":
      return { input: 1, axis: -1 };
    default:
      return undefined;
  }
}

/** Operators that need constant weights; MatMul multiplies two activations as well. */
export const NEEDS_WEIGHTS: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "Gemm"]);

/**
 * Operators whose activations are some of their inputs only; the others are parameters, as shapes, axes, bounds, or
 * the scale and offset of a normalisation.
 */
const DATA_INPUTS: Readonly<Record<string, readonly number[]>> = {
  Where: [1, 2],
  ...Object.fromEntries(
    [
      ...["Conv", "ConvTranspose", "Gemm"],
      ...[
        "Clip",
        "Reshape",
        "Squeeze",
        "Unsqueeze",
        "Slice",
        "Gather",
        "GatherElements",
        "GatherND",
      ],
      ...[
        "Tile",
        "Expand",
        "Pad",
        "Resize",
        "Upsample",
        "Split",
        "TopK",
        "Dropout",
        "Cast",
        "PRelu",
      ],
      ...[
        "BatchNormalization",
        "InstanceNormalization",
        "LayerNormalization",
        "GroupNormalization",
      ],
      ...["RMSNormalization", "SkipLayerNormalization", "OneHot", "CumSum", "Pow"],
      ...[
        "ReduceMean",
        "ReduceSum",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceL1",
        "ReduceL2",
      ],
      ...["ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"],
    ].map((op) => [op, [0]]),
  ),
};

/** Names of the inputs of a node that carry activations or constant operands. */
export function dataInputs(node: OutlineNode): string[] {
  const positions = node.domain === "" && Object.hasOwn(DATA_INPUTS, node.op)
    ? DATA_INPUTS[node.op]
    : node.inputs.keys();
  return [...positions].map((position) => node.inputs[position] ?? "").filter((name) =>
    name !== ""
  );
}

/** Values that attributes have when they are not written, as far as targets ask for them. */
const ATTRIBUTE_DEFAULTS: Readonly<Record<string, Readonly<Record<string, AttributeValue>>>> = {
  Resize: { mode: "nearest", coordinate_transformation_mode: "half_pixel" },
  Upsample: { mode: "nearest" },
  Pad: { mode: "constant" },
  DepthToSpace: { mode: "DCR" },
  Gemm: { alpha: 1, beta: 1, transA: 0, transB: 0 },
  AveragePool: { ceil_mode: 0, count_include_pad: 0 },
  MaxPool: { ceil_mode: 0 },
  Conv: { group: 1 },
  ConvTranspose: { group: 1 },
  Softmax: { axis: -1 },
  LeakyRelu: { alpha: 0.01 },
  HardSigmoid: { alpha: 0.2, beta: 0.5 },
  Gelu: { approximate: "none" },
};

/** Value of an attribute, written or by default. */
export function attributeOf(node: OutlineNode, name: string): AttributeValue | undefined {
  return node.attributes[name] ?? ATTRIBUTE_DEFAULTS[node.op]?.[name];
}

/** Value of a constant with one element that is in the outline. */
export function scalarValue({ values }: OutlineConstant): number | undefined {
  return values?.length === 1 ? values[0] : undefined;
}

/** Range [low, high] outside which an activation function puts nothing; undefined for other nodes. */
export function clampRange(
  node: OutlineNode,
  outline: GraphOutline,
): readonly [number, number] | undefined {
  if (node.domain !== "") return undefined;
  if (node.op === "Relu") return [0, Infinity];
  if (node.op !== "Clip") return undefined;
  const bound = (input: number, attribute: string, fallback: number): number | undefined => {
    const name = node.inputs[input] ?? "";
    if (name !== "") return outline.constants[name]?.values?.[0];
    const value = node.attributes[attribute];
    return typeof value === "number" ? value : fallback;
  };
  const low = bound(1, "min", -Infinity);
  const high = bound(2, "max", Infinity);
  return low === undefined || high === undefined ? undefined : [low, high];
}

/** Operators with a range by definition, whatever their input. */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  Softmax: [0, 1],
  Sigmoid: [0, 1],
  HardSigmoid: [0, 1],
  Tanh: [-1, 1],
};

/** Operators whose range {@linkcode knownRange} can tell, for targets that fix it. */
export const RANGED_OPERATORS = ["Softmax", "Sigmoid", "HardSigmoid", "Tanh", "Clip"] as const;

/** Range [low, high] that a node gives by definition, both finite; undefined when it has none. */
export function knownRange(
  node: OutlineNode,
  outline: GraphOutline,
): readonly [number, number] | undefined {
  if (node.domain !== "") return undefined;
  const range = RANGES[node.op] ?? clampRange(node, outline);
  return range?.every(Number.isFinite) ? range : undefined;
}

const MAKES_OTHER = new Set([
  ...["Shape", "Size", "NonZero", "ArgMax", "ArgMin", "Equal", "Less", "LessOrEqual", "Greater"],
  ...["GreaterOrEqual", "And", "Or", "Not", "Xor", "IsNaN", "IsInf", "QuantizeLinear"],
  ...["NonMaxSuppression", "Multinomial", "ConvInteger", "MatMulInteger"],
]);
const MAKES_FLOAT = new Set(["DequantizeLinear"]);
/** Which input has the type of the output, where it isn't the first. */
const TYPED_BY: Readonly<Record<string, number>> = { Where: 1, CastLike: 1, OneHot: 2 };
/** ONNX number of float32, as Cast's attribute `to` has it. */
const FLOAT = 1;

/**
 * Element type of every tensor of a graph, as far as the operators tell. Shape arithmetic (Shape,
 * Gather, Add, Concat … on int64) must not be taken for activations.
 */
export function elementTypes(outline: GraphOutline): ReadonlyMap<string, ElementType> {
  const types = new Map<string, ElementType>();
  for (const { name, type } of outline.inputs) types.set(name, type);
  for (const [name, { type }] of Object.entries(outline.constants)) types.set(name, type);
  for (const node of outline.nodes) {
    node.outputs.forEach((name, position) => types.set(name, outputType(node, position, types)));
  }
  return types;
}

function outputType(
  node: OutlineNode,
  position: number,
  types: ReadonlyMap<string, ElementType>,
): ElementType {
  if (node.types !== undefined) return node.types[position] ?? "other";
  if (MAKES_OTHER.has(node.op)) return "other";
  if (MAKES_FLOAT.has(node.op)) return "float";
  if (node.op === "Cast") return node.attributes.to === FLOAT ? "float" : "other";
  if (node.op === "DynamicQuantizeLinear") return position === 1 ? "float" : "other";
  // TopK's and Unique's indices, Dropout's and MaxPool's masks.
  if (position > 0 && ["TopK", "Unique", "Dropout", "MaxPool"].includes(node.op)) return "other";
  return types.get(node.inputs[TYPED_BY[node.op] ?? 0] ?? "") ?? "other";
}
