/**
 * The one table of operators, and the questions that it answers for a node of a model or of an outline. An operator is
 * added as a record in the file of its kind; `operator.ts` says what a record may hold.
 *
 * @module
 */
import { own } from "../../core/own.ts";
import type { AttributeValue } from "../graph/node.ts";
import type { Constants, NodeView } from "../graph/node_view.ts";
import type { OutlineConstant } from "../graph/outline.ts";
import { ELEMENTWISE } from "./elementwise.ts";
import { LAYERS } from "./layers.ts";
import { MICROSOFT } from "./microsoft.ts";
import { MOVEMENT } from "./movement.ts";
import type { Kept, Operator, Operators, Range, Weights } from "./operator.ts";
import { QUANTIZED } from "./quantized.ts";
import { REDUCTIONS } from "./reductions.ts";

/** What is known of each operator, by its name as targets write it: "Conv", "com.microsoft:QGemm". */
export const OPERATORS: Operators = {
  ...LAYERS,
  ...ELEMENTWISE,
  ...REDUCTIONS,
  ...MOVEMENT,
  ...QUANTIZED,
  ...MICROSOFT,
};

/** Operators of ONNX that the table leaves out on purpose, and why. */
export const OPAQUE: Readonly<Record<string, string>> = {
  NegativeLogLikelihoodLoss: "a loss, for training",
  SoftmaxCrossEntropyLoss: "a loss, for training",
};

/** Where Conv, ConvTranspose and Gemm have their bias. */
export const BIAS_INPUT = 2;

/** Name of a node's operator as targets write it. */
export function operatorName({ op, domain }: Pick<NodeView, "op" | "domain">): string {
  return domain === "" ? op : `${domain}:${op}`;
}

/** The record of an operator by its name; undefined for one that isn't known. */
export function operatorNamed(name: string): Operator | undefined {
  return own(OPERATORS, name);
}

/** The record of a node's operator. */
export function operatorOf(node: Pick<NodeView, "op" | "domain">): Operator | undefined {
  return operatorNamed(operatorName(node));
}

/** A node with the attributes that it doesn't write, as rules want it. */
export function completeNode(node: NodeView, { defaults }: Operator): NodeView {
  return defaults === undefined
    ? node
    : { ...node, attributes: { ...defaults, ...node.attributes } };
}

/** Value of an attribute, written or by default. */
export function attributeOf(node: NodeView, name: string): AttributeValue | undefined {
  return node.attributes[name] ?? operatorOf(node)?.defaults?.[name];
}

/** Names of the inputs of a node that carry activations or constant operands. */
export function dataInputs(node: NodeView): string[] {
  const positions = operatorOf(node)?.data ?? node.inputs.keys();
  return [...positions].map((position) => node.inputs[position] ?? "").filter((name) =>
    name !== ""
  );
}

/** Names of the outputs of a node that have the type of its first input: no indices, no masks. */
export function dataOutputs(node: NodeView): string[] {
  const types = operatorOf(node)?.types;
  return node.outputs.filter((name, position) => {
    const rule = types?.[Math.min(position, types.length - 1)];
    return name !== "" && (types === undefined || typeof rule === "object" && rule.input === 0);
  });
}

/** Where a node keeps its weights, with the axes as they lie; undefined for operators without weights. */
export function weightSlot(node: NodeView): Weights | undefined {
  const weights = operatorOf(node)?.weights;
  const isSwapped = weights?.swappedBy !== undefined &&
    (node.attributes[weights.swappedBy] ?? 0) !== 0;
  return isSwapped ? { ...weights, axis: weights.inputAxis, inputAxis: weights.axis } : weights;
}

/** Value of a constant with one element that is in the outline. */
export function scalarValue({ values }: OutlineConstant): number | undefined {
  return values?.length === 1 ? values[0] : undefined;
}

/** Range outside which an activation function puts nothing; undefined for other nodes. */
export function clampRange(node: NodeView, constants: Constants): Range | undefined {
  return operatorOf(node)?.clamp?.(node, constants);
}

/** Range that a node gives by definition, both ends finite; undefined when it has none. */
export function knownRange(node: NodeView, constants: Constants): Range | undefined {
  const range = operatorOf(node)?.range ?? clampRange(node, constants);
  return range?.every(Number.isFinite) ? range : undefined;
}

/** What the outputs of a node consist of, when it only moves, chooses or averages elements of its first input. */
export function keptBy(node: NodeView): Kept | undefined {
  const operator = operatorOf(node);
  const keeps = operator?.keeps;
  return typeof keeps === "function" ? keeps(completeNode(node, operator!)) : keeps;
}

/** How a positive factor passes from the first input of a node to its outputs; undefined where it doesn't. */
export function homogeneityOf(
  node: NodeView,
  constants: Constants,
): "tensor" | "elements" | undefined {
  const operator = operatorOf(node);
  if (keptBy(node) !== undefined) return "tensor";
  const rule = operator?.homogeneous;
  if (typeof rule !== "function") return rule;
  return rule(completeNode(node, operator!), constants) ? "tensor" : undefined;
}

/**
 * Whether the first output of a node is never below zero.
 *
 * @param isNonNegative Whether a tensor that the node reads is known not to be.
 */
export function isNonNegative(
  node: NodeView,
  constants: Constants,
  isKnown: (tensor: string) => boolean,
): boolean {
  const operator = operatorOf(node);
  const [low] = operator?.range ?? clampRange(node, constants) ?? [-Infinity];
  const rule = operator?.nonNegativeWith ?? (keptBy(node) === undefined ? undefined : "first");
  return low >= 0 || rule === "first" && isKnown(node.inputs[0]) ||
    rule === "all" && dataInputs(node).every(isKnown);
}
