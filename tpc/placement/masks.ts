/**
 * Masks: what attention adds to scores, or puts in their place, so that Softmax gives 0 there.
 *
 * @module
 */
import type { GraphOutline } from "../../onnx/graph/outline.ts";

/** Operators whose output has a mask in it when an input has: what stands between a mask and its Softmax. */
const CARRIERS: ReadonlySet<string> = new Set([
  ...["Add", "Sub", "Mul", "Where", "Neg", "Cast", "Identity", "Concat", "Expand", "Tile", "Slice"],
  ...["Gather", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Flatten", "Split", "Pad"],
]);

/** Names of the tensors that hold masks, constants among them. `nodes` are in topological order. */
export function maskedTensors({ nodes, constants }: GraphOutline): ReadonlySet<string> {
  const masked = new Set(
    Object.entries(constants).filter(([, { masks }]) => masks).map(([name]) => name),
  );
  for (const { op, domain, inputs, outputs } of nodes) {
    if (domain !== "" || !CARRIERS.has(op) || !inputs.some((name) => masked.has(name))) continue;
    for (const name of outputs) masked.add(name);
  }
  return masked;
}
