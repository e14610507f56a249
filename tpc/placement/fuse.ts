/**
 * Fusing: chains of units that run as one operator, without a quantizer inside.
 *
 * @module
 */
import type { Target } from "../targets/target.ts";
import type { GraphView } from "./graph_view.ts";
import { isClamp, outputOf, type Unit } from "./units.ts";

/** A quantized unit with what is fused into it. */
export interface Group {
  /** The unit that the chain begins with, then those fused into it. */
  readonly units: readonly Unit[];
  /** How many units at the end of the chain are clamps: the quantizer of the output can do their work. */
  readonly clamps: number;
  /** Name of the fusing pattern; undefined for a unit on its own. */
  readonly pattern?: string;
}

/** Tensor that a group makes. */
export function groupOutput({ units }: Group): string {
  return outputOf(units.at(-1)!);
}

/**
 * The group that begins with a unit: that of the longest fusing pattern that fits. A tensor inside the chain may
 * have no other reader, and must not be an output of the model.
 *
 * @param unitOf The unit of each node.
 * @param isFree Whether a unit may be fused: not excluded, not taken.
 */
export function groupFrom(
  head: Unit,
  graph: GraphView,
  target: Target,
  unitOf: ReadonlyMap<unknown, Unit>,
  isFree: (unit: Unit) => boolean,
): Group {
  let best: Unit[] = [head];
  let name: string | undefined;
  for (const { name: patternName, pattern } of target.fusing) {
    if (pattern.length <= best.length || !pattern[0].includes(head.op)) continue;
    const chain = [head];
    for (const operators of pattern.slice(1)) {
      const next = onlyReader(outputOf(chain.at(-1)!), graph, unitOf);
      if (next === undefined || !operators.includes(next.op) || !isFree(next)) break;
      chain.push(next);
    }
    if (chain.length < pattern.length) continue;
    best = chain;
    name = patternName;
  }
  const firstClamp = best.findLastIndex((unit, i) => i === 0 || !isClamp(unit, graph)) + 1;
  return {
    units: best,
    clamps: best.length - firstClamp,
    ...(name === undefined ? {} : { pattern: name }),
  };
}

/** The unit that alone reads a tensor, as its only activation. */
function onlyReader(
  tensor: string,
  graph: GraphView,
  unitOf: ReadonlyMap<unknown, Unit>,
): Unit | undefined {
  if (graph.isOutput(tensor)) return undefined;
  const units = new Set(graph.readers(tensor).map((node) => unitOf.get(node)!));
  const [unit] = units;
  if (units.size !== 1 || unit.inputs.length !== 1 || unit.inputs[0] !== tensor) return undefined;
  return graph.readers(tensor).every(({ captures }) => !captures.includes(tensor))
    ? unit
    : undefined;
}
