/**
 * Masks: what attention adds to scores, or puts in their place, so that Softmax gives 0 there.
 *
 * @module
 */
import type { GraphOutline } from "../../onnx/graph/outline.ts";
import { keptBy, operatorOf } from "../../onnx/operators/operators.ts";

/** Names of the tensors that hold masks, constants among them. `nodes` are in topological order. */
export function maskedTensors({ nodes, constants }: GraphOutline): ReadonlySet<string> {
  const masked = new Set(
    Object.entries(constants).filter(([, { masks }]) => masks).map(([name]) => name),
  );
  for (const node of nodes) {
    // What stands between a mask and its Softmax.
    const passes = operatorOf(node)?.passesMask ?? keptBy(node) === "elements";
    if (!passes || !node.inputs.some((name) => masked.has(name))) continue;
    for (const name of node.outputs) masked.add(name);
  }
  return masked;
}
