/**
 * In which order nodes are eliminated: least fill first (Kjærulff 1990, "Triangulation of graphs – algorithms giving small
 * total state space"; Dechter 1999, "Bucket elimination: a unifying framework for reasoning").
 *
 * @module
 */
import type { Model } from "./model.ts";

/**
 * Entries of one table at most; a table has an entry for each combination of a node and its neighbours at its
 * elimination. 5 options and 6 nodes are 15625.
 */
const MAX_TABLE_ENTRIES = 1 << 15;
/** Entries of all tables at most: some milliseconds a solution. */
const MAX_ENTRIES = 1 << 19;

/** Least fill, then smallest table, then lowest index; undefined if tables get too large. */
export function leastFillOrder({ sizes, pairs }: Pick<Model, "sizes" | "pairs">) {
  const count = sizes.length;
  const neighbours = Array.from({ length: count }, () => new Set<number>());
  for (const { a, b } of pairs) {
    neighbours[a].add(b);
    neighbours[b].add(a);
  }
  const fill = new Float64Array(count);
  const entries = new Float64Array(count);
  const measure = (v: number) => {
    const around = [...neighbours[v]];
    entries[v] = around.reduce((product, u) => product * sizes[u], sizes[v]);
    fill[v] = 0;
    for (let i = 0; i < around.length; i++) {
      const known = neighbours[around[i]];
      for (let j = 0; j < i; j++) if (!known.has(around[j])) fill[v]++;
    }
  };
  for (let v = 0; v < count; v++) measure(v);
  const left = new Set(sizes.keys());
  const order: number[] = [];
  let total = 0;
  while (left.size > 0) {
    let best = -1;
    for (const v of left) {
      if (
        best < 0 || fill[v] < fill[best] || fill[v] === fill[best] && entries[v] < entries[best]
      ) best = v;
    }
    total += entries[best];
    if (entries[best] > MAX_TABLE_ENTRIES || total > MAX_ENTRIES) return undefined;
    order.push(best);
    left.delete(best);
    const around = [...neighbours[best]];
    const changed = new Set(around);
    for (const u of around) {
      neighbours[u].delete(best);
      for (const w of around) if (w !== u) neighbours[u].add(w);
    }
    for (const u of around) for (const w of neighbours[u]) changed.add(w);
    for (const v of changed) measure(v);
  }
  return Int32Array.from(order);
}
