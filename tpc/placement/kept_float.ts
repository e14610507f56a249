/**
 * What a target keeps float by pattern: where integers would lose more than they save.
 *
 * @module
 */
import { weightSlot } from "../../onnx/operators/operators.ts";
import type { KeepFloat, Target } from "../targets/target.ts";
import type { GraphView } from "./graph_view.ts";
import { activationInputs } from "./share_grids.ts";
import { isClamp, type Unit } from "./units.ts";

/** What the rules look at. */
interface Context {
  readonly graph: GraphView;
  readonly unitOf: ReadonlyMap<unknown, Unit>;
  /** Whether a unit only moves elements. */
  readonly isPreserving: (unit: Unit) => boolean;
}

/** Reasons of the units that the rules of a target keep float. Of several rules for one unit the first counts. */
export function keptFloat(
  units: readonly Unit[],
  { keepFloat = [] }: Pick<Target, "keepFloat">,
  context: Context,
): Map<Unit, string> {
  const kept = new Map<Unit, string>();
  for (const rule of keepFloat) {
    for (const unit of rule.before === undefined ? units : ahead(rule, units, context)) {
      if (!rule.operators.includes(unit.op) || kept.has(unit)) continue;
      if (rule.operands === "activations" && !multipliesActivations(unit, context.graph)) continue;
      kept.set(unit, `${rule.name}: ${rule.reason}`);
    }
  }
  return kept;
}

function multipliesActivations(unit: Unit, graph: GraphView): boolean {
  return activationInputs(unit, graph).length === unit.inputs.length && unit.inputs.length > 1;
}

/**
 * Units of a rule that lead to what it protects, by way of units of the rule and of operators that move elements.
 *
 * Where a layer with weights is among them, a clamp in front of it ends the way: behind `Conv → Relu → Conv → Log`
 * there is a network, which has its own tolerance, and no spectrogram.
 */
function ahead(rule: KeepFloat, units: readonly Unit[], context: Context): Set<Unit> {
  const { graph, unitOf, isPreserving } = context;
  const { operators, before = [], input } = rule;
  const found = new Set<Unit>();
  /** Whether a layer with weights has been passed on the way to a unit; a way without one counts more. */
  const seen = new Map<Unit, boolean>();
  const open: { tensor: string; isBehindLayer: boolean }[] = units
    .filter(({ op }) => before.includes(op))
    .flatMap((unit) =>
      input === undefined ? unit.inputs : unit.nodes[0].inputs.slice(input, input + 1)
    )
    .map((tensor) => ({ tensor, isBehindLayer: false }));
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    const { tensor, isBehindLayer } = step;
    const producer = graph.producer(tensor);
    const unit = producer && unitOf.get(producer);
    if (unit === undefined) continue;
    const isOfRule = operators.includes(unit.op);
    if (!isOfRule && !isPreserving(unit)) continue;
    if (isBehindLayer && isClamp(unit, graph)) continue;
    if (seen.get(unit) === false || seen.get(unit) === isBehindLayer) continue;
    seen.set(unit, isBehindLayer);
    found.add(unit);
    const isLayer = unit.nodes.some((node) => weightSlot(node) !== undefined);
    for (const name of activationInputs(unit, graph)) {
      open.push({ tensor: name, isBehindLayer: isBehindLayer || isLayer });
    }
  }
  return found;
}
