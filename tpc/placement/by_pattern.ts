/**
 * Which units the patterns of a target are about: those that stay float where integers would lose more than they save, and
 * those whose quantizers differ.
 *
 * @module
 */
import type { Pattern } from "../targets/target.ts";
import type { GraphView } from "./graph_view.ts";
import { activationInputs } from "./share_grids.ts";
import { isClamp, isLayer, type Unit } from "./units.ts";

/** What the rules look at. */
interface Context {
  readonly graph: GraphView;
  readonly unitOf: ReadonlyMap<unknown, Unit>;
  /** Whether a unit only moves elements. */
  readonly isPreserving: (unit: Unit) => boolean;
}

/** The first pattern that fits each unit that one fits. */
export function unitsByPattern<P extends Pattern>(
  units: readonly Unit[],
  patterns: readonly P[] | undefined,
  context: Context,
): Map<Unit, P> {
  const found = new Map<Unit, P>();
  for (const pattern of patterns ?? []) {
    const candidates = pattern.before === undefined ? units : ahead(pattern, units, context);
    for (const unit of candidates) {
      if (!pattern.operators.includes(unit.op) || found.has(unit)) continue;
      if (pattern.operands === "activations" && !multipliesActivations(unit, context.graph)) {
        continue;
      }
      found.set(unit, pattern);
    }
  }
  return found;
}

function multipliesActivations(unit: Unit, graph: GraphView): boolean {
  return activationInputs(unit, graph).length === unit.inputs.length && unit.inputs.length > 1;
}

/**
 * Units that lead to what a pattern names, by way of its own operators, of those that may be passed, and of those that move
 * elements.
 *
 * Where a layer with weights is among them, a clamp in front of it ends the way: behind `Conv → Relu → Conv → Log`
 * there is a network, which has its own tolerance, and no spectrogram.
 */
function ahead(pattern: Pattern, units: readonly Unit[], context: Context): Set<Unit> {
  const { graph, unitOf, isPreserving } = context;
  const { operators, before = [], input, passing = [] } = pattern;
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
    const isOnTheWay = operators.includes(unit.op) || passing.includes(unit.op);
    if (!isOnTheWay && !isPreserving(unit)) continue;
    if (isBehindLayer && isClamp(unit, graph)) continue;
    if (seen.get(unit) === false || seen.get(unit) === isBehindLayer) continue;
    seen.set(unit, isBehindLayer);
    found.add(unit);
    for (const name of activationInputs(unit, graph)) {
      open.push({ tensor: name, isBehindLayer: isBehindLayer || isLayer(unit) });
    }
  }
  return found;
}
