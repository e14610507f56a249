/**
 * Operators that are quantized only where that saves quantizers: an Add between two normalizations would cost one on
 * either side of it, and its float kernel is as fast.
 *
 * @module
 */
import type { GraphView } from "./graph_view.ts";
import { activationInputs } from "./share_grids.ts";
import { isClamp, isLayer, outputOf, type Unit } from "./units.ts";

/** What is known of the units of a graph. */
interface Context {
  readonly graph: GraphView;
  readonly unitOf: ReadonlyMap<unknown, Unit>;
  readonly isFloat: (unit: Unit) => boolean;
  /** Whether a unit only moves elements, of floats or of codes. */
  readonly isPreserving: (unit: Unit) => boolean;
  /** Whether a unit can give floats or codes, whichever is wanted. */
  readonly givesEither: (unit: Unit) => boolean;
}

/** What makes and reads one tensor, by way of clamps and of operators that only move elements. */
interface Flow {
  readonly producers: Set<Unit | "input">;
  readonly readers: Set<Unit | "output">;
}

/**
 * Units that are better left float, as long as something is left to quantize: a network of small layers alone has its
 * layers quantized all the same, and one without layers what else there is.
 *
 * @param units All units of the graph.
 * @param candidates Units that the target wants on integers only where that saves something.
 */
export function worthFloat(
  units: readonly Unit[],
  candidates: readonly Unit[],
  context: Context,
): Set<Unit> {
  const { graph, isFloat, isPreserving } = context;
  const quantized = units.filter((unit) => !isFloat(unit) && !isPreserving(unit));
  const left = cheaperFloat(candidates, context);
  if (quantized.some((unit) => isLayer(unit) && !left.has(unit))) return left;
  const others = cheaperFloat(candidates.filter((unit) => !isLayer(unit)), context);
  const isLeft = quantized.some((unit) => !isClamp(unit, graph) && !others.has(unit));
  return isLeft ? others : new Set();
}

/**
 * Units that are better left float: with them on integers there would be as many quantizers and dequantizers or more.
 * Found to a fixed point, since each unit that stays float changes the count of its neighbours.
 *
 * @param candidates Units that the target wants on integers only where that saves something.
 */
export function cheaperFloat(candidates: readonly Unit[], context: Context): Set<Unit> {
  const { graph, isFloat, givesEither } = context;
  const flows = new Flows(context);
  const left = new Set<Unit>();
  const isOnFloat = (unit: Unit) => isFloat(unit) || left.has(unit);
  const isFloatEnd = (end: Unit | "input" | "output") => typeof end === "string" || isOnFloat(end);
  const isFree = (end: Unit | "input") => end !== "input" && !isOnFloat(end) && givesEither(end);

  const costs = (unit: Unit): { integer: number; float: number } => {
    const cost = { integer: 0, float: 0 };
    for (const tensor of new Set(activationInputs(unit, graph))) {
      const { producers, readers } = flows.of(tensor);
      const others = [...readers].filter((reader) => reader !== unit);
      const made = [...producers].filter((producer) => !isFree(producer));
      if (made.some(isFloatEnd) && others.every(isFloatEnd)) cost.integer++;
      if (made.some((end) => !isFloatEnd(end)) && !others.some(isFloatEnd)) cost.float++;
    }
    const { readers } = flows.of(outputOf(unit));
    if ([...readers].some(isFloatEnd)) cost.integer++;
    if (![...readers].every(isFloatEnd)) cost.float++;
    return cost;
  };
  const isReadAsFloat = (unit: Unit) => [...flows.of(outputOf(unit)).readers].every(isFloatEnd);
  for (let before = -1; before !== left.size;) {
    before = left.size;
    // From the outputs up: what stays float there frees what leads to it.
    for (const unit of candidates.toReversed()) {
      if (isOnFloat(unit)) continue;
      if (isClamp(unit, graph)) {
        const { producers, readers } = flows.of(outputOf(unit));
        const isMadeFloat = [...producers].every((end) => isFloatEnd(end) || isFree(end));
        // The quantizer of its output does its work for nothing; where there is none, the clamp is float, too.
        if (isMadeFloat && [...readers].every(isFloatEnd)) left.add(unit);
        continue;
      }
      const { integer, float } = costs(unit);
      // Codes save a layer's weights three bytes of four.
      const isWorth = isLayer(unit) && !isReadAsFloat(unit) ? integer <= float : integer < float;
      if (!isWorth) left.add(unit);
    }
  }
  return left;
}

/** Flows by tensor, each found once. */
class Flows {
  readonly #context: Context;
  readonly #known = new Map<string, Flow>();

  constructor(context: Context) {
    this.#context = context;
  }

  of(tensor: string): Flow {
    const known = this.#known.get(tensor);
    if (known !== undefined) return known;
    const { graph, unitOf, isPreserving } = this.#context;
    const passes = (unit: Unit) => isPreserving(unit) || isClamp(unit, graph);
    const flow: Flow = { producers: new Set(), readers: new Set() };
    const seen = new Set<string>();
    const open = [tensor];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      this.#known.set(name, flow);
      const producer = graph.producer(name);
      const unit = producer && unitOf.get(producer);
      if (unit === undefined) flow.producers.add("input");
      else if (passes(unit)) open.push(...activationInputs(unit, graph));
      else flow.producers.add(unit);
      if (graph.isOutput(name)) flow.readers.add("output");
      for (const node of graph.readers(name)) {
        const reader = unitOf.get(node)!;
        if (passes(reader)) open.push(...node.outputs.filter((output) => output !== ""));
        else flow.readers.add(reader);
      }
    }
    return flow;
  }
}
