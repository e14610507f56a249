/**
 * What a target says of one unit.
 *
 * @module
 */
import { attributeOf, weightSlot } from "../../onnx/operators/operators.ts";
import type { OutlineNode } from "../../onnx/graph/outline.ts";
import type { OperatorSet, Target } from "../targets/target.ts";
import type { GraphView } from "./graph_view.ts";
import type { Unit } from "./units.ts";

/** Identity where preparation could not take it out: it needs no quantizer, and none for its sake. */
const IDENTITY: OperatorSet = {
  name: "identity",
  operators: ["Identity"],
  use: "float",
  reason: "it passes its input on as it is",
};

/** The first set of a target that holds a unit; undefined when none does: it stays float then. */
export function operatorSetOf(
  { op, nodes }: Unit,
  graph: GraphView,
  target: Target,
): OperatorSet | undefined {
  const node = nodes.at(-1)!;
  return [...target.operatorSets, IDENTITY].find((
    { operators, where = {}, multiplicationsBelow },
  ) =>
    operators.includes(op) &&
    (multiplicationsBelow === undefined || multiplications(node, graph) < multiplicationsBelow) &&
    Object.entries(where).every(([name, values]) =>
      values.some((value) => value === attributeOf(node, name))
    )
  );
}

/** Multiplications that one element of a layer's output takes; infinite where there are no constant weights. */
function multiplications(node: OutlineNode, graph: GraphView): number {
  const slot = weightSlot(node);
  const shape = slot && graph.constant(node.inputs[slot.input])?.shape;
  if (shape === undefined) return Infinity;
  return shape.reduce((product, dim) => product * dim, 1) / shape.at(slot!.axis)!;
}
