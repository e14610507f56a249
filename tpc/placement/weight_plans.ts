/**
 * What becomes of the constants of units: weights, and operands where the target quantizes them.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { WeightSpec } from "../../core/types.ts";
import type { OutlineNode } from "../../onnx/graph/outline.ts";
import { weightSlot } from "../../onnx/operators/operators.ts";
import { checkAllowed } from "../targets/read_target.ts";
import type { OperatorSet, Target } from "../targets/target.ts";
import type { Group } from "./fuse.ts";
import type { GraphView } from "./graph_view.ts";
import type { OverrideEffects } from "./override_effects.ts";
import { describeOverride, overridesFor } from "./overrides.ts";
import { activationInputs } from "./share_grids.ts";
import { channelAxis, type WeightPlan } from "./types.ts";
import { subjectsOf, type Unit } from "./units.ts";

/** What plans of weights follow from. */
export interface WeightContext {
  readonly graph: GraphView;
  readonly target: Target;
  readonly sets: ReadonlyMap<Unit, OperatorSet | undefined>;
  readonly effects: OverrideEffects;
}

/** Blocks that no weight can take were asked for in vain. */
export function checkBlocks(
  { name, weight: { granularity } }: Target,
  weights: readonly WeightPlan[],
): void {
  const layers = weights.filter(({ op }) => channelAxis(op) !== undefined);
  const isTaken = layers.some(({ spec }) => spec.granularity === "block");
  if (granularity !== "block" || layers.length === 0 || isTaken) return;
  throw new PlimsollError("target", {
    action: `placing blocks of weights for target ${name}`,
    wanted: "a MatMul or Gemm whose weights take a step for every block",
    found: [...new Set(layers.map(({ reason }) => reason))].join("; "),
    remedy:
      "Use --weight-granularity channel, or 4 bits that a target file stores as int4 or uint4",
  });
}

/** Weights of a unit, or its constant operands where the target quantizes them. */
export function constantPlans(
  { units: [unit, next] }: Group,
  context: WeightContext,
): WeightPlan[] {
  const { graph, target, sets } = context;
  const [node] = unit.nodes;
  if (unit.nodes.length > 1) return [];
  const set = sets.get(unit);
  const slot = weightSlot(node);
  const [activation] = activationInputs(unit, graph);
  const weight = slot && graph.constant(node.inputs[slot.input]);
  if (slot !== undefined && weight?.type === "float" && activation === node.inputs[0]) {
    const bias = slot.bias === undefined ? "" : node.inputs[slot.bias] ?? "";
    return [weightPlan(unit, slot.input, {
      context,
      axis: (slot.axis + weight.shape.length) % weight.shape.length,
      bias: bias === ""
        ? addedBias(weight.shape, next, graph)
        : { tensor: bias, input: slot.bias! },
    })];
  }
  // Of a product with a constant on the left, integer kernels want both sides alike, as of two activations.
  const isLeft = node.op === "MatMul" && graph.constant(node.inputs[0])?.type === "float";
  if (!isLeft && set?.constants !== "quantized" || slot?.areNeeded) return [];
  return [...node.inputs.keys()].filter((input) =>
    unit.inputs.includes(node.inputs[input]) && graph.constant(node.inputs[input])?.type === "float"
  ).map((input) => {
    const { bits, constraint } = target.activation;
    const axis = isLeft ? Math.max(0, graph.constant(node.inputs[input])!.shape.length - 2) : 0;
    const plan = weightPlan(unit, input, { context, axis });
    // An operand is as precise as the activation that it meets, and is stored like it: kernels want one type.
    const spec = {
      ...plan.spec,
      bits: Math.min(bits, 8),
      constraint,
      granularity: "tensor" as const,
    };
    return {
      ...plan,
      spec: { ...spec, clip: false },
      storage: target.storage.activation.startsWith("u") ? "uint8" : "int8",
      reason: `constant operand of ${node.op}`,
    };
  });
}

/**
 * The bias that an Add fused behind a product of matrices gives it: one number a column. ONNX Runtime makes one Gemm of
 * the two and takes the integer kernel only where the bias has integer codes.
 */
function addedBias(
  weight: readonly number[],
  next: Unit | undefined,
  graph: GraphView,
): WeightPlan["bias"] {
  if (next?.op !== "AddBias" || weight.length !== 2) return undefined;
  const [{ name: node, inputs }] = next.nodes;
  const input = inputs.findIndex((name) => graph.constant(name)?.type === "float");
  const shape = graph.constant(inputs[input])?.shape;
  const isRow = shape?.at(-1) === weight[1] && shape.slice(0, -1).every((size) => size === 1);
  return isRow ? { tensor: inputs[input], input, node } : undefined;
}

/** Weights of one input of a node by target, set and overrides. */
export function weightPlan(
  unit: Unit,
  input: number,
  { context, axis, bias }: {
    readonly context: WeightContext;
    readonly axis: number;
    readonly bias?: WeightPlan["bias"];
  },
): WeightPlan {
  const { target, sets, graph, effects } = context;
  const [node] = unit.nodes;
  let spec = { ...target.weight, ...sets.get(unit)?.weight };
  const reason = [`weights of ${node.op}`];
  for (const override of overridesFor(target, subjectsOf(unit))) {
    if (override.weight === undefined) continue;
    effects.note(override, "weight");
    const name = `the override for ${describeOverride(override)}`;
    checkAllowed(target, "weight", override.weight, name);
    spec = { ...spec, ...override.weight };
    reason.push(`set by ${name}`);
  }
  if (node.op === "ConvTranspose" && Number(node.attributes.group ?? 1) > 1) {
    // Axis 1 has the channels of one group only: steps along it would not be steps of output channels.
    spec = { ...spec, granularity: "tensor" };
    reason.push("one step, since output channels of a grouped ConvTranspose lie along two axes");
  }
  if (node.op === "MatMul" && graph.constant(node.inputs[input])!.shape.length !== 2) {
    // Measured, 1.30 and 1.32: QLinearMatMul and MatMulIntegerToFloat are taken for steps along an axis of such
    // weights, and refuse them when they run.
    if (spec.granularity !== "tensor") reason.push("one step, since the weights are no matrix");
    spec = { ...spec, granularity: "tensor" };
  }
  const clip = spec.clip ?? spec.bits < CLIPPED_BELOW;
  const wanted = target.storage.weight;
  const isPacked = wanted === "int4" || wanted === "uint4";
  const storage = isPacked && spec.bits > 4 ? wanted === "int4" ? "int8" : "uint8" : wanted;
  const blocks = spec.granularity !== "block"
    ? undefined
    : storage === wanted && isPacked
    ? blocksOf(node, input, axis, spec, graph)
    // Measured on 1.30: it takes MatMul with blocks for QLinearMatMul, which then refuses them.
    : "one step a channel: ONNX Runtime runs blocks of 4 bits only";
  const { blockSize: _, ...unblocked } = spec;
  if (blocks === undefined) spec = unblocked;
  else if (typeof blocks === "string") {
    spec = { ...unblocked, granularity: "channel" };
    reason.push(blocks);
  } else spec = { ...spec, blockSize: blocks.size };
  const isBlocked = typeof blocks === "object";
  // The scale of a bias code is one for all its products: blocks have several.
  if (isBlocked && bias !== undefined) reason.push("bias left float");
  return {
    tensor: node.inputs[input],
    node: node.name,
    op: node.op,
    input,
    activation: activationInputs(unit, graph)[0],
    ...(bias === undefined || isBlocked ? {} : { bias }),
    axis: isBlocked ? blocks.axis : axis,
    spec: { ...spec, clip },
    storage,
    reason: reason.join("; "),
  };
}

/**
 * Bits below which clipping the largest weights pays: output SQNR of EfficientNet-Lite0 after bias correction gains 2.1
 * dB with 4 bits, 0.6 with 6, and none with 8 (docs/lite0.md).
 */
const CLIPPED_BELOW = 8;

/** Weights in a block unless the target says otherwise. */
const BLOCK_SIZE = 32;

/** Axis and size of the blocks of a weight matrix, or why there are none. */
function blocksOf(
  node: OutlineNode,
  input: number,
  channelAxis: number,
  { blockSize: size = BLOCK_SIZE }: Pick<WeightSpec, "blockSize">,
  graph: GraphView,
): { axis: number; size: number } | string {
  const { shape } = graph.constant(node.inputs[input])!;
  if (shape.length !== 2) return `one step a channel: weights of ${node.op} are no matrix`;
  const axis = 1 - channelAxis;
  return shape[axis] % size === 0
    ? { axis, size }
    : `one step a channel: ${shape[axis]} inputs don't divide into blocks of ${size}`;
}
