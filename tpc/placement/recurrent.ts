/**
 * Recurrent layers, whose weights are most of a model's bytes at times, and constants that sub-graphs read: they stay
 * float in the graph, but their weights needn't be so in the file.
 *
 * @module
 */
import type { OutlineNode } from "../../onnx/graph/outline.ts";
import type { OperatorSet } from "../targets/target.ts";
import type { GraphView } from "./graph_view.ts";
import { exclusionOf, overridesFor } from "./overrides.ts";
import type { RecurrentPlan, StoredPlan } from "./types.ts";
import { subjectsOf, type Unit } from "./units.ts";
import type { WeightContext } from "./weight_plans.ts";

/** Numbers below which a constant isn't worth it: a few nodes take a kilobyte. */
export const LEAST_STORED = 1024;
/** Operators with weights and recurrent weights as inputs 1 and 2. */
const RECURRENT = ["LSTM", "GRU", "RNN"];
const WEIGHT_INPUTS = [1, 2];

/** What is planned for recurrent layers. */
export interface RecurrentPlans {
  readonly recurrent: readonly RecurrentPlan[];
  readonly stored: readonly StoredPlan[];
}

/**
 * What becomes of weights of units whose sets say so.
 *
 * @param setOf The set of a unit, or what stands for it.
 */
export function recurrentPlans(
  units: readonly Unit[],
  setOf: (unit: Unit) => Pick<OperatorSet, "recurrent"> | undefined,
  { graph, target, effects }: Pick<WeightContext, "graph" | "target" | "effects">,
): RecurrentPlans {
  const recurrent: RecurrentPlan[] = [];
  const stored = new Map<string, StoredPlan>();
  const replaced = new Set<string>();
  for (const unit of units) {
    const [node] = unit.nodes;
    const weights = weightsOf(node, graph);
    const wished = weights.length === 0
      ? undefined
      : overridesFor(target, subjectsOf(unit)).findLast(({ compute }) =>
        compute !== undefined && compute !== "integer"
      );
    const how = wished === undefined
      ? setOf(unit)?.recurrent
      : wished.compute === "float"
      ? "stored"
      : "dynamic";
    const isExcluded = exclusionOf(target, subjectsOf(unit))?.quantize === false;
    if (how === undefined || isExcluded) continue;
    if (wished !== undefined) effects.note(wished, "compute");
    const why = how === "dynamic" ? whyStored(node, weights, graph) : undefined;
    if (how === "dynamic" && why === undefined) {
      replaced.add(node.name);
      recurrent.push({
        node: node.name,
        op: node.op,
        kernel: "DynamicQuantizeLSTM",
        bits: target.weight.bits,
        weights,
        reason:
          "input and state are quantized as the model runs, weights have one step an output " +
          "channel",
      });
      continue;
    }
    const reader = weights.length === 0 ? `in sub-graphs of ${node.op}` : `by ${node.op}`;
    for (const tensor of [...weights, ...node.capturedConstants ?? []]) {
      const constant = graph.constant(tensor);
      const isMatrix = constant?.type === "float" && constant.shape.length >= 2 &&
        sizeOf(constant.shape) >= LEAST_STORED && constant.masks === undefined;
      if (!isMatrix || stored.has(tensor)) continue;
      stored.set(tensor, {
        tensor,
        type: "int8",
        reason: `read ${reader} ${node.name}, which computes in float; one step a row` +
          (why === undefined ? "" : `; no DynamicQuantizeLSTM: ${why}`),
      });
    }
  }
  // What something else reads as well has to serve that, too.
  const isOwn = ({ tensor }: StoredPlan) =>
    graph.readers(tensor).every(({ name, op }) => !replaced.has(name) && RECURRENT.includes(op));
  return { recurrent, stored: [...stored.values()].filter(isOwn) };
}

/** Names of the constant weights of a recurrent layer; none for other operators. */
function weightsOf({ op, domain, inputs }: OutlineNode, graph: GraphView): string[] {
  if (!RECURRENT.includes(op) || domain !== "") return [];
  return WEIGHT_INPUTS.map((input) => inputs[input] ?? "")
    .filter((name) => graph.constant(name)?.type === "float");
}

/** Why a layer can't be a DynamicQuantizeLSTM. */
function whyStored(
  { op, inputs, attributes }: OutlineNode,
  weights: readonly string[],
  graph: GraphView,
): string | undefined {
  if (op !== "LSTM") return `it is no LSTM`;
  if (weights.length < WEIGHT_INPUTS.length) return "its weights aren't constant float32";
  if (Number(attributes.layout ?? 0) !== 0) return "the operator has no layout 1";
  if (!graph.isFloat(inputs[0])) return "its input is not float32";
  const size = weights.reduce((sum, name) => sum + sizeOf(graph.constant(name)!.shape), 0);
  return size < LEAST_STORED ? `its weights are ${size} numbers, too few to gain by` : undefined;
}

/** Numbers in a constant. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}
