/**
 * Linear layers whose input is quantized when the model runs: all of a target that says so, or single ones by override.
 *
 * @module
 */
import { weightSlot } from "../../onnx/operators/operators.ts";
import { describeOverride, overridesFor } from "./overrides.ts";
import { activationInputs } from "./share_grids.ts";
import type { GraphView } from "./graph_view.ts";
import type { WeightPlan } from "./types.ts";
import { subjectsOf, type Unit } from "./units.ts";
import { type WeightContext, weightPlan } from "./weight_plans.ts";

/** Why such a layer needs no grid from data. */
const AT_RUN_TIME = "its input is quantized as the model runs";
/** Measured in onnxruntime-web 1.30 and native 1.32; the products of a matrix win instead. */
const CONVOLUTION =
  "activations are quantized as the model runs, and ConvInteger takes 4.9 times as long as a float convolution";
const OTHER =
  "activations are quantized as the model runs, and only in front of linear layers with constant weights";
/** Operators that slide weights over their input. */
const CONVOLUTIONS = ["Conv", "ConvTranspose"];

/** The part of {@linkcode WeightContext} that is there before anything is decided. */
type Context = Pick<WeightContext, "graph" | "target" | "effects">;

/**
 * Why units stay out of static quantization, where the activations of layers are quantized as the model runs.
 *
 * @param reasons Why units stay float whatever becomes of activations; changed in place.
 * @returns The layers that quantize their input.
 */
export function separateDynamic(
  units: readonly Unit[],
  reasons: Map<Unit, string | undefined>,
  { graph, target, effects }: Context,
): Set<Unit> {
  const isAll = target.layers?.activations === "dynamic";
  const dynamic = new Set<Unit>();
  const outputs = new Set<string>();
  for (const unit of units) {
    if (reasons.get(unit) !== undefined) continue;
    const wished = overridesFor(target, subjectsOf(unit))
      .find(({ compute }) => compute === "dynamic");
    const [node] = unit.nodes;
    if ((isAll || wished !== undefined) && isMatrixLayer(unit, graph)) {
      if (wished !== undefined) effects.note(wished, "compute");
      dynamic.add(unit);
      outputs.add(node.outputs[0]);
      reasons.set(unit, AT_RUN_TIME);
    } else if (unit.op === "AddBias" && unit.inputs.some((name) => outputs.has(name))) {
      reasons.set(unit, "it adds the bias of a layer whose input is quantized as the model runs");
    } else if (isAll) {
      reasons.set(unit, CONVOLUTIONS.includes(node.op) ? CONVOLUTION : OTHER);
    }
  }
  return dynamic;
}

/** Whether a unit multiplies an activation by a constant matrix on its right. */
export function isMatrixLayer({ nodes: [node, ...rest] }: Unit, graph: GraphView): boolean {
  const slot = weightSlot(node);
  if (rest.length > 0 || slot === undefined || !["MatMul", "Gemm"].includes(node.op)) return false;
  const weight = graph.constant(node.inputs[slot.input]);
  return weight?.type === "float" && weight.shape.length === 2 &&
    graph.constant(node.inputs[0]) === undefined && graph.isFloat(node.inputs[0]);
}

/** Weights of a layer that quantizes its input: 8 bits in the file, one step a column or one in all. */
export function dynamicPlan(unit: Unit, context: WeightContext): WeightPlan {
  const { graph, target } = context;
  const [node] = unit.nodes;
  const slot = weightSlot(node)!;
  const bias = slot.bias === undefined ? "" : node.inputs[slot.bias] ?? "";
  const axis = (slot.axis + 2) % 2;
  const plan = weightPlan(unit, slot.input, {
    context,
    axis,
    ...(bias === "" ? {} : { bias: { tensor: bias, input: slot.bias! } }),
  });
  const { blockSize: _, ...spec } = plan.spec;
  const wished = overridesFor(target, subjectsOf(unit)).findLast(({ compute }) =>
    compute === "dynamic"
  );
  const by = wished === undefined ? "" : `, by the override for ${describeOverride(wished)}`;
  return {
    ...plan,
    activation: activationInputs(unit, graph)[0],
    axis,
    // MatMulInteger takes 8 bits, and no blocks.
    storage: plan.storage === "uint4" ? "uint8" : plan.storage === "int4" ? "int8" : plan.storage,
    spec: spec.granularity === "block" ? { ...spec, granularity: "channel" } : spec,
    compute: "dynamic",
    reason: `${plan.reason}; ${AT_RUN_TIME}${by}`,
  };
}
