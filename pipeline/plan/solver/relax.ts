/**
 * A bound where a graph is too entangled to eliminate: some pairs get a copy of one of their nodes to themselves, and
 * copies may choose otherwise than the node. What is left is a partial k-tree with leaves, whose minimum is a lower bound
 * of the whole's (node splitting: Choi, Chavira & Darwiche 2007, "Node splitting: a scheme for generating upper bounds in
 * Bayesian networks"). Costs that move between a node and its copies make them agree as far as that can be done
 * (dual decomposition: Komodakis, Paragios & Tziritas 2007, "MRF optimization via dual decomposition").
 *
 * @module
 */
import { Elimination } from "./eliminate.ts";
import { type Model, type Pair, type PairRow, startsOf } from "./model.ts";

/** Entries of one table at most: 5 options and 4 nodes are 625. */
const MAX_TABLE_ENTRIES = 1024;

/** A model whose first nodes are those of another model, and the rest copies of some of them. */
export interface Relaxed {
  readonly model: Model;
  /** Node that each copy is of. */
  readonly copies: Int32Array;
  /** For each copy the pair that it ends. */
  readonly copied: readonly Pair[];
  /** An order of elimination with small tables. */
  readonly order: Int32Array;
}

/** Copies nodes until tables are small; strong pairs, by the costs of `row`, keep their nodes if possible. */
export function relax(model: Model, row: PairRow): Relaxed {
  const count = model.sizes.length;
  const strengths = model.pairs.map((pair) => strengthOf(model, pair, row));
  const { order, kept } = partialTree(model, strengths);
  const copies: number[] = [];
  const copied: Pair[] = [];
  const pairs = model.pairs.map((pair, p): Pair => {
    if (kept[p]) return pair;
    const own = { a: pair.a, b: count + copies.length, start: pair.start };
    copies.push(pair.b);
    copied.push(own);
    return own;
  });
  const sizes = Int32Array.from([...model.sizes, ...copies.map((node) => model.sizes[node])]);
  const start = startsOf(sizes);
  const options = start[sizes.length];
  return {
    model: {
      ...model,
      sizes,
      start,
      pairs,
      rows: model.rows.map(({ unary, pair }, r) => {
        const longer = new Float64Array(options);
        longer.set(unary);
        // Costs of the objective are going to move.
        return { unary: longer, pair: r === 0 ? pair!.slice() : pair };
      }),
    },
    copies: Int32Array.from(copies),
    copied,
    order: Int32Array.from([...copies.keys()].map((k) => count + k).concat(order)),
  };
}

/** How much a pair's labels matter to each other: the span of its costs; more with combinations that are forbidden. */
function strengthOf({ sizes }: Model, { a, b, start }: Pair, { pair }: PairRow): number {
  let [low, high, forbidden] = [Infinity, -Infinity, 0];
  for (let at = start; at < start + sizes[a] * sizes[b]; at++) {
    if (pair[at] === Infinity) forbidden++;
    else [low, high] = [Math.min(low, pair[at]), Math.max(high, pair[at])];
  }
  const span = high > low ? high - low : 0;
  return forbidden > 0 ? 2 * span + 1e-9 : span;
}

/**
 * Which pairs stay: nodes join one by one, the strongest bound first, and keep the pairs to nodes of one earlier bag.
 * Eliminating in the reverse order needs no table larger than a bag.
 */
function partialTree({ sizes, pairs }: Model, strengths: readonly number[]) {
  const count = sizes.length;
  const around = Array.from({ length: count }, () => [] as { other: number; p: number }[]);
  for (const [p, { a, b }] of pairs.entries()) {
    around[a].push({ other: b, p });
    around[b].push({ other: a, p });
  }
  const kept = new Uint8Array(pairs.length);
  const joined = new Uint8Array(count);
  const pull = new Float64Array(count);
  const bags: Set<number>[] = [];
  const bagsOf = Array.from({ length: count }, () => [] as number[]);
  const order: number[] = [];
  for (let step = 0; step < count; step++) {
    let node = -1;
    for (let v = 0; v < count; v++) {
      if (!joined[v] && (node < 0 || pull[v] > pull[node])) node = v;
    }
    joined[node] = 1;
    order.push(node);
    const earlier = around[node].filter(({ other }) => joined[other]);
    earlier.sort((x, y) => strengths[y.p] - strengths[x.p] || x.p - y.p);
    let [best, gain]: [typeof earlier, number] = [[], -1];
    let from = -1;
    for (const bag of new Set(earlier.flatMap(({ other }) => bagsOf[other]))) {
      let room = MAX_TABLE_ENTRIES / sizes[node];
      let sum = 0;
      const chosen: typeof earlier = [];
      for (const one of earlier) {
        if (!bags[bag].has(one.other) || sizes[one.other] > room) continue;
        room /= sizes[one.other];
        sum += strengths[one.p];
        chosen.push(one);
      }
      if (sum > gain) [best, gain, from] = [chosen, sum, bag];
    }
    const bag = new Set([node]);
    let entries = sizes[node];
    for (const { other, p } of best) {
      kept[p] = 1;
      bag.add(other);
      entries *= sizes[other];
    }
    // Further nodes of the bag are room for pairs of later nodes.
    if (from >= 0) {
      for (const other of [...bags[from]].reverse()) {
        if (bag.has(other) || entries * sizes[other] > MAX_TABLE_ENTRIES) continue;
        bag.add(other);
        entries *= sizes[other];
      }
    }
    for (const member of bag) bagsOf[member].push(bags.length);
    bags.push(bag);
    for (const { other, p } of around[node]) {
      if (!joined[other]) pull[other] += strengths[p] + 1e-12;
    }
  }
  return { order: order.reverse(), kept };
}

/** Steps without a better bound before steps get shorter. */
const PATIENCE = 4;

/**
 * Moves costs between nodes and copies in `row`, in place, so that the minimum comes near the whole's: subgradient steps
 * of Polyak's length. `target` is the value of some labels of the whole under `row`. Returns the best bound.
 */
export function tighten(
  { model, copies, copied, order }: Relaxed,
  row: PairRow,
  target: number,
  steps: number,
): number {
  const elimination = new Elimination(model, order);
  const own = model.sizes.length - copies.length;
  let best = { bound: -Infinity, unary: row.unary.slice(), pair: row.pair.slice() };
  let [factor, waited] = [1, 0];
  for (let step = 0; step <= steps; step++) {
    const { value, labels } = elimination.minimise(row);
    if (value > best.bound) {
      best = { bound: value, unary: row.unary.slice(), pair: row.pair.slice() };
      waited = 0;
    } else if (++waited > PATIENCE) {
      [factor, waited] = [factor / 2, 0];
    }
    let different = 0;
    for (let k = 0; k < copies.length; k++) {
      if (labels[copies[k]] !== labels[own + k]) different++;
    }
    if (different === 0 || value >= target || value === Infinity || factor < 1 / 64) break;
    const length = factor * (target - value) / (2 * different);
    for (let k = 0; k < copies.length; k++) {
      const [here, there] = [labels[copies[k]], labels[own + k]];
      if (here === there) continue;
      moveCost(model, row, copied[k], copies[k], here, length);
      moveCost(model, row, copied[k], copies[k], there, -length);
    }
  }
  row.unary.set(best.unary);
  row.pair.set(best.pair);
  return best.bound;
}

/** Makes a label dearer at the node and cheaper at the copy by the same amount. */
function moveCost(
  { sizes, start }: Model,
  { unary, pair }: PairRow,
  { a, b, start: at }: Pair,
  node: number,
  label: number,
  amount: number,
) {
  unary[start[node] + label] += amount;
  for (let x = 0; x < sizes[a]; x++) pair[at + x * sizes[b] + label] -= amount;
}
