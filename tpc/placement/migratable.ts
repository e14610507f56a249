/**
 * Tensors whose channels may be scaled for the layers that read them.
 *
 * @module
 */
import type { GraphOutline } from "../../onnx/graph/outline.ts";
import type { Target } from "../targets/target.ts";
import { resolve } from "./resolve.ts";
import { channelAxis } from "./types.ts";

/** An activation that only layers with quantized weights read as codes. */
export interface Migratable {
  readonly tensor: string;
  /** Whether it is made as floats: a factor costs a multiplication at most, and two quantizers elsewhere. */
  readonly isFloat: boolean;
}

/**
 * Activations whose channels may be scaled, in the order of the layers behind them. Inputs of layers that quantize them
 * as the model runs are among them, and float until then.
 */
export function migratable(outline: GraphOutline, target: Target): Migratable[] {
  const { activations, weights, float } = resolve(outline, target);
  const plans = new Map(activations.map((plan) => [plan.tensor, plan]));
  const layers = new Map<string, Set<string>>();
  const dynamic = new Set<string>();
  for (const { op, input, node, activation, compute } of weights) {
    if (input !== 1 || channelAxis(op) === undefined || compute === "float") continue;
    if (compute === "dynamic") dynamic.add(activation);
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
    const isLate = origin === undefined && dynamic.has(tensor);
    if (!isLate && (!producer || origin?.sharedWith !== undefined)) return [];
    const isFloat = !producer || floats.has(producer.node) || canGiveFloat.has(producer.op);
    const others = outline.nodes.filter(({ name, inputs }) =>
      inputs.includes(tensor) && !nodes.has(name) && !floats.has(name)
    );
    return others.length === 0 ? [{ tensor, isFloat }] : [];
  });
}
