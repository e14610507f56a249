/**
 * Tensors whose channels may be scaled for the layers that read them.
 *
 * @module
 */
import type { GraphOutline } from "../../onnx/graph/outline.ts";
import type { Target } from "../targets/target.ts";
import { resolve } from "./resolve.ts";
import { channelAxis } from "./types.ts";

/**
 * Activations that are made as floats and that only layers with quantized weights read as codes. What integer kernels
 * make is not among them: a factor between them would cost two quantizers.
 */
export function migratable(outline: GraphOutline, target: Target): string[] {
  const { activations, weights, float } = resolve(outline, target);
  const plans = new Map(activations.map((plan) => [plan.tensor, plan]));
  const layers = new Map<string, Set<string>>();
  for (const { op, input, node, activation } of weights) {
    if (input !== 1 || channelAxis(op) === undefined) continue;
    layers.set(activation, (layers.get(activation) ?? new Set()).add(node));
  }
  const floats = new Set(float.map(({ node }) => node));
  const canGiveFloat = new Set(
    target.operatorSets.filter(({ floatOutput }) => floatOutput).flatMap(({ operators }) =>
      operators
    ),
  );
  return [...layers].flatMap(([tensor, nodes]) => {
    const origin = plans.get(plans.get(tensor)?.sameAs ?? tensor);
    const producer = origin?.producer;
    const isFloat = producer && (floats.has(producer.node) || canGiveFloat.has(producer.op));
    const others = outline.nodes.filter(({ name, inputs }) =>
      inputs.includes(tensor) && !nodes.has(name) && !floats.has(name)
    );
    return isFloat && others.length === 0 && origin!.sharedWith === undefined ? [tensor] : [];
  });
}
