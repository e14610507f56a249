/**
 * Tables: large constants of which Gather picks rows, as embeddings. Nothing computes with them, but they may be most
 * of a model's bytes (MiniLM: 47 of 53 MB).
 *
 * @module
 */
import { exclusionOf } from "./overrides.ts";
import type { GraphView } from "./graph_view.ts";
import type { TablePlan } from "./types.ts";
import { subjectsOf, type Unit } from "./units.ts";
import type { Target } from "../targets/target.ts";

/** Numbers below which a table isn't worth it: four bytes each. */
const LEAST_SIZE = 4096;

/** The tables of a graph, but those whose Gather an override leaves float. */
export function tablePlans(units: readonly Unit[], graph: GraphView, target: Target): TablePlan[] {
  return units.flatMap((unit): TablePlan[] => {
    const [node] = unit.nodes;
    const table = graph.constant(node.inputs[0]);
    if (node.op !== "Gather" || node.domain !== "" || Number(node.attributes.axis ?? 0) !== 0) {
      return [];
    }
    if (table?.type !== "float" || table.shape.length < 2 || table.masks) return [];
    const size = table.shape.reduce((product, dim) => product * dim, 1);
    if (size < LEAST_SIZE || exclusionOf(target, subjectsOf(unit)) !== undefined) return [];
    const rows = table.shape[0];
    return [{
      tensor: node.inputs[0],
      node: node.name,
      rows,
      bits: 8,
      reason: `table of ${rows} rows, stored in int8 with a step for each`,
    }];
  });
}
