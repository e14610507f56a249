/**
 * Float islands: nodes that stay float and pass float tensors to each other.
 *
 * @module
 */
import type { GraphView } from "./graph_view.ts";
import { isClamp, isLayer, outputOf, type Unit } from "./units.ts";

/**
 * Units that could be quantized but belong to an island: all they read is made by float units or constant, and
 * either all that read them are float, so that quantizing them would only split the island, or they are clamps,
 * whose work the quantizer of their output does. Units with weights are not among them, since they are what
 * quantization is for.
 *
 * @param isFloat Whether a unit stays float already.
 */
export function insideIslands(
  units: readonly Unit[],
  graph: GraphView,
  isFloat: (unit: Unit) => boolean,
): Set<Unit> {
  const unitOf = new Map(units.flatMap((unit) => unit.nodes.map((node) => [node, unit] as const)));
  const joined = new Set<Unit>();
  const isOnFloat = (unit: Unit) => isFloat(unit) || joined.has(unit);
  for (let before = -1; before !== joined.size;) {
    before = joined.size;
    for (const unit of units) {
      if (isOnFloat(unit) || isLayer(unit)) continue;
      const output = outputOf(unit);
      const readers = graph.readers(output);
      const clamps = isClamp(unit, graph);
      if (!clamps && (graph.isOutput(output) || readers.length === 0)) continue;
      const producers = unit.inputs.filter((name) => graph.constant(name) === undefined)
        .map((name) => graph.producer(name));
      const isInside = producers.every((node) =>
        node !== undefined && isOnFloat(unitOf.get(node)!)
      ) &&
        (clamps || readers.every((node) => isOnFloat(unitOf.get(node)!)));
      if (isInside) joined.add(unit);
    }
  }
  return joined;
}

/**
 * Numbers the islands of float units, from 0 in topological order. Two units are on one island when a tensor that
 * isn't quantized leads from one to the other.
 */
export function numberIslands(
  float: readonly Unit[],
  graph: GraphView,
  isQuantized: (tensor: string) => boolean,
): Map<Unit, number> {
  const unitOf = new Map(float.flatMap((unit) => unit.nodes.map((node) => [node, unit] as const)));
  const islands = new Map<Unit, number>();
  let count = 0;
  for (const start of float) {
    if (islands.has(start)) continue;
    const open = [start];
    islands.set(start, count);
    for (let unit = open.pop(); unit !== undefined; unit = open.pop()) {
      const before = unit.nodes.flatMap(({ inputs }) => inputs).filter((name) => !isQuantized(name))
        .map((name) => graph.producer(name));
      const after = unit.nodes.flatMap(({ outputs }) => outputs)
        .filter((name) => !isQuantized(name)).flatMap((name) => graph.readers(name));
      for (const node of [...before, ...after]) {
        const next = node && unitOf.get(node);
        if (next === undefined || islands.has(next)) continue;
        islands.set(next, count);
        open.push(next);
      }
    }
    count++;
  }
  return islands;
}
