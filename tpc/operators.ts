/**
 * What the quantizer knows about ONNX operators, whatever the target.
 *
 * @module
 */
import type { ElementType, GraphOutline, OutlineNode } from "./onnx/outline.ts";

/** Where an operator keeps its weights. */
export interface WeightSlot {
  /** Number of the input that holds the weights. */
  readonly input: number;
  /** Number of the input that holds the bias, when it has one. */
  readonly bias: number;
  /** Axis of the output channels in the weight tensor. */
  readonly axis: number;
}

/** Weight slot of an operator, or undefined for operators without weights. */
export function weightSlot(node: OutlineNode): WeightSlot | undefined {
  if (node.domain !== "") return undefined;
  switch (node.op) {
    case "Conv":
      return { input: 1, bias: 2, axis: 0 };
    case "Gemm":
      return { input: 1, bias: 2, axis: node.attributes.transB === 1 ? 0 : 1 };
    default:
      return undefined;
  }
}

/** Operators whose further inputs are parameters, not data. */
const FIRST_INPUT_ONLY = new Set([
  "Clip",
  "Reshape",
  "Squeeze",
  "Unsqueeze",
  "Slice",
  "Gather",
  "Tile",
]);

/** Names of the inputs of a node that carry activations. */
export function dataInputs(node: OutlineNode): string[] {
  const inputs = weightSlot(node) !== undefined || FIRST_INPUT_ONLY.has(node.op)
    ? node.inputs.slice(0, 1)
    : node.inputs;
  return inputs.filter((name) => name !== "");
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
]);
const MAKES_FLOAT = new Set(["DequantizeLinear", "DynamicQuantizeLinear"]);
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
  if (MAKES_OTHER.has(node.op)) return "other";
  if (MAKES_FLOAT.has(node.op)) return "float";
  if (node.op === "Cast") return node.attributes.to === FLOAT ? "float" : "other";
  // TopK's indices, Dropout's and MaxPool's masks.
  if (position > 0 && ["TopK", "Dropout", "MaxPool"].includes(node.op)) return "other";
  const input = node.op === "Where" ? node.inputs[1] : node.inputs[0];
  return types.get(input ?? "") ?? "other";
}
