/**
 * Where quantized activations stand in the graph: which ones each is made from, and who reads it.
 *
 * @module
 */
import { indexOutline } from "../../../onnx/graph/graph_index.ts";
import type { GraphOutline, OutlineNode } from "../../../onnx/graph/outline.ts";

/** Neighbours of one activation. */
export interface Neighbours {
  /** Numbers of the activations on the way to it. */
  readonly from: readonly number[];
  /** Numbers of the activations that are made from it. */
  readonly to: readonly number[];
  /** Nodes that read it. */
  readonly readers: readonly OutlineNode[];
}

/** Neighbours of each tensor of a list, skipping tensors that aren't in it. */
export function neighbours(outline: GraphOutline, tensors: readonly string[]): Neighbours[] {
  const indexOf = new Map(tensors.map((tensor, i) => [tensor, i]));
  const { producers, consumers } = indexOutline(outline);
  const from = tensors.map((tensor) => sources(tensor, producers, indexOf));
  return tensors.map((tensor, i) => ({
    from: from[i],
    to: from.flatMap((list, other) => list.includes(i) ? [other] : []),
    readers: consumers.get(tensor) ?? [],
  }));
}

/** The nearest listed tensors above one, ascending. */
function sources(
  tensor: string,
  makerOf: ReadonlyMap<string, OutlineNode>,
  indexOf: ReadonlyMap<string, number>,
): number[] {
  const found = new Set<number>();
  const seen = new Set<string>();
  const inputsOf = (name: string) => {
    const maker = makerOf.get(name);
    return maker === undefined ? [] : [...maker.inputs, ...maker.captures];
  };
  const open = inputsOf(tensor);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const index = indexOf.get(name);
    if (index === undefined) open.push(...inputsOf(name));
    else found.add(index);
  }
  return [...found].sort((a, b) => a - b);
}
