/**
 * Joins: operators that put tensors of different ranges beside each other. One grid for all of them gives each source
 * the steps of the widest: boxes to 320 leave scores from 0 to 1 a single step.
 *
 * @module
 */
import type { GraphView } from "./graph_view.ts";
import { type RangeOf, type SeenRange, spanOf, unite } from "./seen_range.ts";
import { activationInputs } from "./share_grids.ts";
import { outputOf, type Unit } from "./units.ts";

const JOINS: ReadonlySet<string> = new Set([
  ...["Concat", "Where", "ScatterND", "ScatterElements"],
]);

/** Steps of the common grid below which the range of a source is lost. */
export const FEW_STEPS = 8;

/** What decides about joins. */
export interface JoinContext {
  readonly graph: GraphView;
  readonly unitOf: ReadonlyMap<unknown, Unit>;
  readonly isFloat: (unit: Unit) => boolean;
  readonly isPreserving: (unit: Unit) => boolean;
}

/** Whether a unit joins tensors. */
export function isJoin({ op }: Unit): boolean {
  return JOINS.has(op);
}

/** Units that read a tensor, by way of operators that preserve its grid; those are among `passed`. */
export function readersBehind(
  tensor: string,
  { graph, unitOf, isPreserving }: JoinContext,
): { readers: Set<Unit>; passed: Set<Unit> } {
  const readers = new Set<Unit>();
  const passed = new Set<Unit>();
  const open = [tensor];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const node of graph.readers(name)) {
      const unit = unitOf.get(node)!;
      if (!isPreserving(unit)) readers.add(unit);
      else if (!passed.has(unit)) {
        passed.add(unit);
        open.push(...unit.nodes.at(-1)!.outputs.filter((output) => output !== ""));
      }
    }
  }
  return { readers, passed };
}

/**
 * Quantized joins that nothing on integers reads, only outputs and float operators: one grid would cost the small
 * sources their steps and save nothing.
 */
export function idleJoins(units: readonly Unit[], context: JoinContext): Set<Unit> {
  const idle = new Set<Unit>();
  // From the outputs up: a join of joins frees those before it.
  for (const unit of units.toReversed()) {
    if (!isJoin(unit) || context.isFloat(unit)) continue;
    const { readers } = readersBehind(outputOf(unit), context);
    if ([...readers].every((reader) => context.isFloat(reader) || idle.has(reader))) idle.add(unit);
  }
  return idle;
}

/**
 * The range of a tensor, or of what it is made from by operators that move elements and by joins.
 *
 * @param seen Of the tensors that were watched.
 */
export function rangeThrough(
  tensor: string,
  seen: RangeOf,
  { graph, unitOf, isPreserving }: JoinContext,
): SeenRange | undefined {
  const found = seen(tensor);
  if (found !== undefined) return found;
  const producer = graph.producer(tensor);
  const unit = producer && unitOf.get(producer);
  if (unit === undefined || !isPreserving(unit) && !isJoin(unit)) return undefined;
  return unite(
    activationInputs(unit, graph).map((name) =>
      rangeThrough(name, seen, { graph, unitOf, isPreserving, isFloat: () => false })
    ),
  );
}

/** The source of a join whose range is lost on the common grid; undefined when there is none. */
export function lostSource(
  unit: Unit,
  bits: number,
  seen: RangeOf,
  context: JoinContext,
): string | undefined {
  const sources = activationInputs(unit, context.graph);
  const ranges = sources.map((name) => rangeThrough(name, seen, context));
  const all = unite(ranges);
  if (all === undefined) return undefined;
  const step = spanOf(all) / (2 ** bits - 1);
  return sources.find((_, i) => {
    const span = spanOf(ranges[i]!);
    // What is all zero is exact on any grid.
    return span > 0 && span < FEW_STEPS * step;
  });
}
