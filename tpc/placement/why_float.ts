/**
 * Why a unit can't run on integers.
 *
 * @module
 */
import { attributeOf, clampRange, dataInputs, weightSlot } from "../../onnx/operators/operators.ts";
import type { OperatorSet, Target } from "../targets/target.ts";
import type { GraphView } from "./graph_view.ts";
import { describeOverride, exclusionOf, exclusionReason } from "./overrides.ts";
import { isLayer, subjectsOf, type Unit } from "./units.ts";

/** The reason, or undefined when the unit can be quantized as its set says. */
export function whyFloat(
  unit: Unit,
  set: OperatorSet | undefined,
  graph: GraphView,
  target: Target,
): string | undefined {
  const exclusion = exclusionOf(target, subjectsOf(unit));
  if (exclusion !== undefined) return exclusionReason(exclusion);
  // An input of the model has no node that could be left float: those that read it are.
  const inputs = unit.inputs.filter((name) =>
    graph.producer(name) === undefined && graph.constant(name) === undefined
  );
  const exempt = exclusionOf(target, inputs.map((tensor) => ({ tensor })));
  if (exempt !== undefined) {
    return `reads what the override for ${describeOverride(exempt)} leaves float`;
  }
  const inner = unit.nodes.reduce((sum, { innerWeights = 0 }) => sum + innerWeights, 0);
  if (inner > 0) return `its body stays float, with the ${inner} weights in it`;
  if (set === undefined) return `target ${target.name} doesn't quantize ${unit.op}`;
  if (set.use === "float") return set.reason ?? `target ${target.name} keeps ${unit.op} float`;
  if (unit.inputs.every((name) => graph.constant(name) !== undefined)) {
    return "its inputs are constant";
  }
  if (unit.inputs.some((name) => !graph.isFloat(name))) return "its input is not float32";
  if (readsMask(unit, graph)) {
    return "its input holds a mask, of −10⁴ or less: no grid has room for that beside scores";
  }
  if (set.inputs === "same" && unit.inputs.some((name) => graph.constant(name) !== undefined)) {
    return "a constant among inputs that must share one grid";
  }
  return unit.nodes.length === 1 ? whyNodeFloat(unit, graph) : undefined;
}

/** Whether a unit works on a tensor with a mask in it; layers with weights never do. */
export function readsMask(unit: Unit, graph: GraphView): boolean {
  return unit.nodes.flatMap(dataInputs).some((name) => graph.isMasked(name)) && !isLayer(unit);
}

function whyNodeFloat({ nodes: [node] }: Unit, graph: GraphView): string | undefined {
  if (node.op === "Clip" && clampRange(node, graph) === undefined) {
    return "its bounds are not constant";
  }
  if (node.op === "Gemm") {
    const isPlain = attributeOf(node, "alpha") === 1 && attributeOf(node, "beta") === 1 &&
      attributeOf(node, "transA") === 0;
    if (!isPlain) return "Gemm with alpha, beta or transA has no integer kernel";
  }
  const slot = weightSlot(node);
  if (!slot?.areNeeded) return undefined;
  const weight = graph.constant(node.inputs[slot.input]);
  if (weight?.type !== "float") return "its weights are not constant float32";
  const bias = slot.bias === undefined ? "" : node.inputs[slot.bias] ?? "";
  if (bias === "") return undefined;
  const shape = graph.constant(bias)?.shape;
  if (shape === undefined) return "its bias is not constant";
  const groups = node.op === "ConvTranspose" ? Number(attributeOf(node, "group")) : 1;
  const channels = weight.shape[slot.axis] * groups;
  return shape.length === 1 && shape[0] === channels
    ? undefined
    : `its bias has shape [${shape}], not [${channels}]`;
}
