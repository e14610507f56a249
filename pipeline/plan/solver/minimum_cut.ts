/**
 * The exact minimum for two options a node by a minimum cut, however entangled the graph is, as long as every border is
 * submodular: θ(0,0) + θ(1,1) ≤ θ(0,1) + θ(1,0) (Kolmogorov & Zabih 2004, "What energy functions can be minimized via
 * graph cuts?"). Nodes may be turned around, 0 for 1, so that borders that prefer unlike options pass, too, where the
 * graph allows it for all of them.
 *
 * @module
 */
import { FlowNetwork } from "./max_flow.ts";
import { type Model, type PairRow, totalOf } from "./model.ts";

/**
 * For each node whether it has to be turned around so that all pairs of all rows are submodular; undefined if a node has
 * not two options or that can't be. Multiples from 0 of such rows and their sums are submodular, too.
 */
export function turnsOf({ sizes, pairs, rows }: Model): Uint8Array | undefined {
  if (sizes.some((size) => size !== 2)) return undefined;
  const around = Array.from(sizes, () => [] as { other: number; turned: number }[]);
  for (const { a, b, start } of pairs) {
    let [low, high] = [0, 0];
    for (const { pair } of rows) {
      if (!pair) continue;
      const like = pair[start] + pair[start + 3];
      const unlike = pair[start + 1] + pair[start + 2];
      // Both forbidden says that one node's option is forbidden, whichever way it is turned: not a matter of cuts.
      if (like === Infinity && unlike === Infinity) return undefined;
      if (like < unlike) low++;
      if (like > unlike) high++;
    }
    if (low > 0 && high > 0) return undefined;
    if (low + high === 0) continue;
    const turned = high > 0 ? 1 : 0;
    around[a].push({ other: b, turned });
    around[b].push({ other: a, turned });
  }
  const turns = new Int8Array(sizes.length).fill(-1);
  for (let first = 0; first < sizes.length; first++) {
    if (turns[first] >= 0) continue;
    turns[first] = 0;
    const queue = [first];
    for (const node of queue) {
      for (const { other, turned } of around[node]) {
        const turn = turns[node] ^ turned;
        if (turns[other] === -1) {
          turns[other] = turn;
          queue.push(other);
        } else if (turns[other] !== turn) return undefined;
      }
    }
  }
  return Uint8Array.from(turns);
}

/** The minimum of a row over all labels, and labels that have it; `turns` are those of {@linkcode turnsOf}. */
export function minimumCut(
  model: Model,
  row: PairRow,
  turns: Uint8Array,
): { value: number; labels: Int32Array } {
  const { sizes, start, pairs } = model;
  const count = sizes.length;
  // What is forbidden costs more than everything else together.
  let forbidden = 1;
  for (const costs of [row.unary, row.pair]) {
    for (const cost of costs) if (cost < Infinity) forbidden += 2 * Math.abs(cost);
  }
  const finite = (cost: number) => cost === Infinity ? forbidden : cost;
  // Cost of (turned) label 1 minus cost of label 0: nodes on the source's side of the cut have label 0.
  const lean = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const [none, one] = [turns[i], 1 - turns[i]].map((x) => finite(row.unary[start[i] + x]));
    lean[i] = one - none;
  }
  const [source, sink] = [count, count + 1];
  const network = new FlowNetwork(count + 2);
  for (const { a, b, start: at } of pairs) {
    const cost = (x: number, y: number) =>
      finite(row.pair[at + 2 * (x ^ turns[a]) + (y ^ turns[b])]);
    // θ(x,y) = θ(0,0) + x·(θ(1,0) − θ(0,0)) + y·(θ(1,1) − θ(1,0)) + (1 − x)·y·rest
    lean[a] += cost(1, 0) - cost(0, 0);
    lean[b] += cost(1, 1) - cost(1, 0);
    const rest = cost(0, 1) + cost(1, 0) - cost(0, 0) - cost(1, 1);
    if (rest > 0) network.add(a, b, rest);
  }
  for (let i = 0; i < count; i++) {
    if (lean[i] > 0) network.add(source, i, lean[i]);
    else if (lean[i] < 0) network.add(i, sink, -lean[i]);
  }
  network.flow(source, sink);
  // Of several minimum cuts the one with the fewest labels 1.
  const reaches = network.reaches(sink);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) labels[i] = reaches[i] ^ turns[i];
  return { value: totalOf(model, row, labels), labels };
}
