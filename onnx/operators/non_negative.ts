/**
 * Which tensors hold no negative element, whatever the input of the model.
 *
 * @module
 */
import { constantFloats } from "../graph/constant_value.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { viewNode } from "../graph/node_view.ts";
import { isNonNegative } from "./operators.ts";

/** Names of the tensors that provably hold no element below 0. */
export function nonNegativeTensors(index: GraphIndex): Set<string> {
  const known = new Set<string>();
  const isKnown = (name: string) =>
    known.has(name) ||
    (constantFloats(index, name)?.data.every((value) => value >= 0) ?? false);
  for (const node of index.nodes) {
    if (isNonNegative(viewNode(node), index, isKnown)) known.add(node.output[0]);
  }
  return known;
}
