/**
 * What a target says of one unit.
 *
 * @module
 */
import { attributeOf } from "../../onnx/operators/operators.ts";
import type { OperatorSet, Target } from "../targets/target.ts";
import type { Unit } from "./units.ts";

/** Identity where preparation could not take it out: it needs no quantizer, and none for its sake. */
const IDENTITY: OperatorSet = {
  name: "identity",
  operators: ["Identity"],
  use: "float",
  reason: "it passes its input on as it is",
};

/** The first set of a target that holds a unit; undefined when none does: it stays float then. */
export function operatorSetOf({ op, nodes }: Unit, target: Target): OperatorSet | undefined {
  const node = nodes.at(-1)!;
  return [...target.operatorSets, IDENTITY].find(({ operators, where = {} }) =>
    operators.includes(op) &&
    Object.entries(where).every(([name, values]) =>
      values.some((value) => value === attributeOf(node, name))
    )
  );
}
