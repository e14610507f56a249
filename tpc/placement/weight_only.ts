/**
 * Placement where nothing but weights is quantized: what is stored in which type, and why the rest isn't.
 *
 *  - `int8`: weights of layers with a step for each output channel, tables and weights of recurrent layers with one for
 *    each row.
 *  - `int4`: matrices and tables in blocks; what can't lie in blocks takes 8 bits.
 *  - `float16`: every constant that is worth it.
 *
 * All kernels compute in float32, so that activations don't matter: their maxima concern nobody.
 *
 * @module
 */
import type { WeightOnlyType } from "../../core/types.ts";
import { attributeOf, weightSlot } from "../../onnx/operators/operators.ts";
import type { Target } from "../targets/target.ts";
import { isMatrixLayer } from "./dynamic.ts";
import type { GraphView } from "./graph_view.ts";
import { OverrideEffects } from "./override_effects.ts";
import { exclusionOf, exclusionReason } from "./overrides.ts";
import { LEAST_STORED, recurrentPlans, sizeOf } from "./recurrent.ts";
import { activationInputs } from "./share_grids.ts";
import { tablePlans } from "./tables.ts";
import type { Placement, StoredPlan, TablePlan, WeightPlan } from "./types.ts";
import { nameOf, outputOf, subjectsOf, type Unit } from "./units.ts";
import { type WeightContext, weightPlan } from "./weight_plans.ts";

/** Numbers below which a constant isn't stored in float16: it would save less than half a kilobyte. */
const LEAST_HALVES = 256;
/** Weights in a block that MatMulNBits and GatherBlockQuantized take, largest first. */
const BLOCK_SIZES = [256, 128, 64, 32, 16];
/** Bits of what can't lie in blocks. */
const UNBLOCKED_BITS = 8;

/** Decides which constants are stored in what. */
export function placeWeightsOnly(
  units: readonly Unit[],
  graph: GraphView,
  target: Target,
  weightOnly: WeightOnlyType,
): Placement {
  const effects = new OverrideEffects();
  const reasons = new Map<Unit, string>();
  const context: WeightContext = { graph, target, sets: new Map(), effects };
  const isHalf = weightOnly === "float16";
  const weights = isHalf ? [] : units.flatMap((unit) => {
    const plan = planLayer(unit, weightOnly, context);
    if (typeof plan === "string") reasons.set(unit, plan);
    return plan === undefined || typeof plan === "string" ? [] : [plan];
  });
  const tables = isHalf
    ? []
    : tablePlans(units, graph, target).map((plan) =>
      weightOnly === "int4" ? inBlocks(plan, graph, target) : plan
    );
  const stored = isHalf
    ? halves(graph, units, target)
    : recurrentPlans(units, () => ({ recurrent: "stored" }), context).stored;
  effects.check(target, units, graph, (unit) => reasons.get(unit) ?? ONLY_WEIGHTS);
  const picking = new Set(tables.map(({ node }) => node));
  const float = units.filter((unit) => graph.isFloat(outputOf(unit)) && !picking.has(nameOf(unit)));
  return {
    units: [],
    activations: [],
    weights,
    tables,
    recurrent: [],
    stored,
    float: float.flatMap((unit) =>
      unit.nodes.map(({ name: node, op }) => ({
        node,
        op,
        island: 0,
        reason: reasons.get(unit) ?? ONLY_WEIGHTS,
      }))
    ),
  };
}

const ONLY_WEIGHTS = "nothing but weights is quantized: it computes in float";

/** Weights of one layer, or why they stay float32; undefined for what has none. */
export function planLayer(
  unit: Unit,
  weightOnly: "int8" | "int4",
  context: WeightContext,
): WeightPlan | string | undefined {
  const { graph, target } = context;
  const [node, ...rest] = unit.nodes;
  const slot = weightSlot(node);
  const tensor = slot === undefined ? "" : node.inputs[slot.input] ?? "";
  const constant = graph.constant(tensor);
  if (slot === undefined || rest.length > 0 || constant?.type !== "float") return undefined;
  if (graph.constant(node.inputs[0]) !== undefined || !graph.isFloat(node.inputs[0])) {
    return undefined;
  }
  const exclusion = exclusionOf(target, subjectsOf(unit));
  if (exclusion !== undefined && exclusion.compute === undefined) return exclusionReason(exclusion);
  const size = sizeOf(constant.shape);
  if (size < LEAST_STORED || constant.shape.length < 2) {
    return `its weights are ${size} numbers, too few to gain by`;
  }
  const stranger = strangerTo(tensor, graph);
  if (stranger !== undefined) {
    return `${stranger} reads its weights, too, so that they are in the file as float32 anyway`;
  }
  const axis = (slot.axis + constant.shape.length) % constant.shape.length;
  const bias = slot.bias === undefined ? "" : node.inputs[slot.bias] ?? "";
  const isBiased = graph.constant(bias)?.shape.length === 1;
  const plan = weightPlan(unit, slot.input, {
    context,
    axis,
    ...(isBiased ? { bias: { tensor: bias, input: slot.bias! } } : {}),
  });
  const inputAxis = 1 - axis;
  const why = weightOnly === "int8" ? "" : whyUnblocked(unit, graph);
  const blockSize = why === undefined
    ? blockFor(constant.shape[inputAxis], target.weight.blockSize)
    : undefined;
  const own = {
    ...plan,
    ...(isBiased ? { bias: { tensor: bias, input: slot.bias! } } : {}),
    activation: activationInputs(unit, graph)[0],
    compute: "float" as const,
  };
  if (blockSize !== undefined) {
    return {
      ...own,
      axis: inputAxis,
      storage: "uint4",
      spec: { ...plan.spec, granularity: "block", blockSize, bits: Math.min(4, plan.spec.bits) },
      reason: `weights of ${node.op}, in blocks of MatMulNBits`,
    };
  }
  if (weightOnly === "int8") {
    return { ...own, reason: `${plan.reason}; stored so, and float as soon as it is loaded` };
  }
  const { blockSize: _, ...spec } = plan.spec;
  return {
    ...own,
    axis,
    storage: "int8",
    spec: {
      ...spec,
      bits: UNBLOCKED_BITS,
      constraint: "symmetric",
      granularity: spec.granularity === "tensor" ? "tensor" : "channel",
      clip: false,
    },
    reason: `weights of ${node.op} in 8 bits: ${
      why ?? `${constant.shape[inputAxis]} inputs don't divide into blocks`
    }`,
  };
}

/** What reads a constant otherwise than layers do their weights, or Gather its table. */
function strangerTo(tensor: string, graph: GraphView): string | undefined {
  const reader = graph.readers(tensor).find((node) => {
    const slot = weightSlot(node);
    const isWeight = slot !== undefined && node.inputs[slot.input] === tensor;
    return !isWeight && node.op !== "Gather";
  });
  const owner = graph.outline.nodes.find(({ capturedConstants = [] }) =>
    capturedConstants.includes(tensor)
  );
  return (reader ?? owner)?.name;
}

/** Why the weights of a layer can't be blocks of MatMulNBits; undefined when they can. */
function whyUnblocked(unit: Unit, graph: GraphView): string | undefined {
  const [node] = unit.nodes;
  if (!isMatrixLayer(unit, graph)) return "MatMulNBits multiplies by matrices alone";
  if (node.op !== "Gemm") return undefined;
  const isPlain = attributeOf(node, "alpha") === 1 && attributeOf(node, "beta") === 1 &&
    attributeOf(node, "transA") === 0;
  return isPlain ? undefined : "MatMulNBits has no alpha, beta or transA";
}

/** Blocks of the wished size, or the next smaller ones that divide the inputs. */
function blockFor(inputs: number, wished = 32): number | undefined {
  return BLOCK_SIZES.find((size) => size <= wished && inputs % size === 0);
}

/** A table in blocks of four bits, where its rows divide into them. */
function inBlocks(plan: TablePlan, graph: GraphView, { weight }: Target): TablePlan {
  const { shape } = graph.constant(plan.tensor)!;
  const blockSize = shape.length === 2 ? blockFor(shape[1], weight.blockSize) : undefined;
  if (blockSize === undefined) return plan;
  return {
    ...plan,
    bits: 4,
    blockSize,
    reason: `table of ${plan.rows} rows, in blocks of GatherBlockQuantized`,
  };
}

/** All constants of float32 that are worth it. Whether float16 can hold them, their numbers say. */
function halves(graph: GraphView, units: readonly Unit[], target: Target): StoredPlan[] {
  const excluded = new Set(
    units.filter((unit) => exclusionOf(target, subjectsOf(unit)) !== undefined)
      .flatMap(({ nodes }) => nodes.flatMap(({ inputs }) => inputs)),
  );
  const captured = new Set(
    graph.outline.nodes.flatMap(({ capturedConstants = [] }) => capturedConstants),
  );
  return Object.entries(graph.outline.constants).flatMap(([tensor, { type, shape }]) => {
    const isRead = (graph.readers(tensor).length > 0 || captured.has(tensor)) &&
      !graph.isOutput(tensor);
    const isWorthIt = type === "float" && sizeOf(shape) >= LEAST_HALVES;
    if (!isRead || !isWorthIt || excluded.has(tensor)) return [];
    return [{
      tensor,
      type: "float16" as const,
      reason: "half the bytes, and float32 when loaded",
    }];
  });
}
