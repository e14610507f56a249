/**
 * Which tensors are quantized, and which of them share one grid.
 *
 * @module
 */
import type { OutlineNode } from "../../onnx/graph/outline.ts";
import type { Group } from "./fuse.ts";
import { groupOutput } from "./fuse.ts";
import type { GraphView } from "./graph_view.ts";
import { type SeenRange, spanOf, unite } from "./seen_range.ts";
import { outputOf, type Unit } from "./units.ts";

/** A quantized group, and what its operator set says of its tensors. */
export interface QuantizedGroup extends Group {
  /** All inputs and the output share one grid. */
  readonly hasOneGrid: boolean;
  /** The kernel can give float: the output is quantized for its readers only. */
  readonly canGiveFloat: boolean;
}

/** A quantized tensor with the others that have its grid. */
export interface GridShare {
  /** Whether its values come from other tensors of the share, without arithmetic. */
  readonly isDerived: boolean;
  /** Tensors that don't get their values from another one of the share; the first gives the grid its name. */
  readonly sources: readonly string[];
  /** Further tensors whose values come into the share, but that have grids of their own. */
  readonly requantized: readonly string[];
}

/** What is known of the tensors that an operator wants on one grid. */
export interface ShareFacts {
  /** Equal for tensors whose grid the target fixes the same; undefined for those that have none. */
  readonly fixedGrid: (tensor: string) => string | undefined;
  /** Range that was seen; undefined before data. */
  readonly range: (tensor: string) => SeenRange | undefined;
}

/** Part of the common range below which a source keeps a grid of its own: it would lose more than a bit. */
const LEAST_PART = 1 / 2;

/**
 * Quantized tensors in topological order, each with its share.
 *
 * An operator that preserves quantization passes the need for a quantizer on, in both directions, to a fixed
 * point; its input and outputs share a grid. So do all ends of a group with one grid. The grid of a share
 * is chosen for its sources: tensors that neither a preserving operator nor a group with one grid makes.
 */
export function shareGrids(
  groups: readonly QuantizedGroup[],
  preserving: readonly Unit[],
  graph: GraphView,
  facts: ShareFacts,
): Map<string, GridShare> {
  const quantized = new Set<string>();
  for (const group of groups) {
    for (const name of activationInputs(group.units[0], graph)) quantized.add(name);
    if (!group.canGiveFloat) quantized.add(groupOutput(group));
  }
  const preserved = preserving.map((unit) => endsOf(unit, graph));
  for (let before = -1; before !== quantized.size;) {
    before = quantized.size;
    for (const ends of preserved) {
      if (ends.some((name) => quantized.has(name))) {
        for (const name of ends) quantized.add(name);
      }
    }
  }
  const shares = new Shares();
  for (const ends of preserved) shares.join(ends.filter((name) => quantized.has(name)));
  const oneGrid = groups.filter(({ hasOneGrid }) => hasOneGrid);
  const apart = new Map<string, string[]>();
  for (const group of oneGrid) {
    const inputs = activationInputs(group.units[0], graph);
    const output = groupOutput(group);
    const joined = sharingInputs(inputs, facts);
    shares.join([...joined, output].filter((name) => quantized.has(name)));
    // A grid that the target fixes holds all that its tensor can be.
    const isAllFixed = inputs.every((name) => facts.fixedGrid(name) !== undefined);
    apart.set(output, isAllFixed ? [] : inputs.filter((name) => !joined.includes(name)));
  }
  // Values of these come from other tensors of the share: they add nothing to its range.
  const derived = new Set([
    ...preserving.flatMap(({ nodes }) => nodes.flatMap(({ outputs }) => outputs)),
    ...oneGrid.map(groupOutput),
  ]);
  const members = new Map<string, string[]>();
  for (const name of graph.tensors()) {
    if (!quantized.has(name)) continue;
    const root = shares.root(name);
    members.set(root, [...members.get(root) ?? [], name]);
  }
  const result = new Map<string, GridShare>();
  const sourcesOf = new Map([...members].map(([root, names]) => {
    const sources = names.filter((name) => !derived.has(name));
    return [root, sources.length > 0 ? sources : names.slice(0, 1)];
  }));
  const requantized = new Map<string, string[]>();
  for (const [output, inputs] of apart) {
    const root = shares.root(output);
    const sources = inputs.flatMap((name) => sourcesOf.get(shares.root(name)) ?? []);
    requantized.set(root, [...new Set([...requantized.get(root) ?? [], ...sources])]);
  }
  for (const name of graph.tensors()) {
    if (!quantized.has(name)) continue;
    const root = shares.root(name);
    const sources = sourcesOf.get(root)!;
    result.set(name, {
      sources,
      requantized: (requantized.get(root) ?? []).filter((source) => !sources.includes(source)),
      isDerived: derived.has(name) && !sources.includes(name),
    });
  }
  return result;
}

/**
 * The inputs that can do with the grid that their operator wants for all: not one whose grid the target fixes, unless
 * it is that of all, and none that would lose more than a bit. The others keep theirs and are requantized at the
 * operator's edge.
 */
function sharingInputs(inputs: readonly string[], { fixedGrid, range }: ShareFacts): string[] {
  const fixed = inputs.map(fixedGrid);
  if (fixed[0] !== undefined && fixed.every((grid) => grid === fixed[0])) return [...inputs];
  const ranges = inputs.map(range);
  const all = unite(ranges);
  return inputs.filter((_, i) => {
    if (fixed[i] !== undefined) return false;
    return all === undefined || spanOf(all) === 0 ||
      spanOf(ranges[i]!) >= LEAST_PART * spanOf(all);
  });
}

/** Inputs of a unit that are activations. */
export function activationInputs({ inputs }: Unit, graph: GraphView): string[] {
  return inputs.filter((name) => graph.constant(name) === undefined);
}

/** Input and float outputs of a preserving unit; none when its input is no activation. */
function endsOf(unit: Unit, graph: GraphView): string[] {
  const inputs = activationInputs(unit, graph);
  const node: OutlineNode = unit.nodes.at(-1)!;
  const outputs = node.outputs.filter((name) => name !== "" && graph.isFloat(name));
  const isActivation = inputs.length > 0 && inputs.every((name) => graph.isFloat(name)) &&
    graph.isFloat(outputOf(unit));
  return isActivation ? [...inputs, ...outputs] : [];
}

/** Union of sets of names (Tarjan), without ranks: there are few. */
class Shares {
  readonly #parents = new Map<string, string>();

  root(name: string): string {
    const parent = this.#parents.get(name);
    return parent === undefined ? name : this.root(parent);
  }

  join(names: readonly string[]): void {
    for (const name of names) {
      const [a, b] = [this.root(names[0]), this.root(name)];
      if (a !== b) this.#parents.set(b, a);
    }
  }
}
