/**
 * The exact minimum of a sum of costs of nodes and of pairs, by eliminating one node after the other (bucket elimination;
 * Dechter 1999; on trees this is the Viterbi algorithm). Time and memory grow with the product of the options of a node and
 * its neighbours at its elimination, which is small for graphs like chains with residuals.
 *
 * @module
 */
import type { Model, PairRow } from "./model.ts";

/** What is added to a bucket's table: pair costs, or the message of a bucket that was eliminated before. */
interface Factor {
  /** Index of the bucket that sends it; −1 for pair costs. */
  readonly sender: number;
  /** First entry among the pairs' costs or messages. */
  readonly start: number;
  /** Distance of entries by label of each node of the bucket's scope, 0 where it doesn't matter. */
  readonly strides: Int32Array;
  /** The same by label of the bucket's own node. */
  readonly stride: number;
}

/** One node with its neighbours at its elimination. */
interface Bucket {
  readonly node: number;
  /** The neighbours, the one that is eliminated first in front. */
  readonly scope: Int32Array;
  /** Options of the neighbours. */
  readonly sizes: Int32Array;
  readonly factors: Factor[];
  /** First entry of its table: labels of the scope, then of the node itself, the last one fastest. */
  readonly table: number;
  /** First entry of its message, the minima of the table over the node's labels. */
  readonly message: number;
  readonly messageEntries: number;
}

/** Minimises sums of costs over one graph again and again. */
export class Elimination {
  readonly #model: Model;
  readonly #buckets: Bucket[] = [];
  readonly #tables: Float64Array;
  readonly #messages: Float64Array;
  readonly #labels: Int32Array;

  /** Lays out the tables for an order of all nodes. */
  constructor(model: Model, order: Int32Array) {
    this.#model = model;
    this.#labels = new Int32Array(model.sizes.length);
    const { sizes, pairs } = model;
    const place = new Int32Array(sizes.length);
    for (const [at, node] of order.entries()) place[node] = at;
    const byPlace = (a: number, b: number) => place[a] - place[b];
    // What every bucket gets, by the node that is eliminated first.
    const given = Array.from(
      sizes,
      () => [] as { sender: number; start: number; scope: Int32Array; strides: Int32Array }[],
    );
    for (const { a, b, start } of pairs) {
      given[place[a] < place[b] ? a : b].push({
        sender: -1,
        start,
        scope: Int32Array.of(a, b),
        strides: Int32Array.of(sizes[b], 1),
      });
    }
    let [table, message] = [0, 0];
    for (const node of order) {
      const around = new Set<number>();
      for (const { scope } of given[node]) for (const u of scope) if (u !== node) around.add(u);
      const scope = Int32Array.from([...around].sort(byPlace));
      const bucketSizes = scope.map((u) => sizes[u]);
      const factors = given[node].map(({ sender, start, scope: own, strides }): Factor => ({
        sender,
        start,
        strides: scope.map((u) => own.includes(u) ? strides[own.indexOf(u)] : 0),
        stride: strides[own.indexOf(node)],
      }));
      const messageEntries = bucketSizes.reduce((product, size) => product * size, 1);
      if (scope.length > 0) {
        const strides = new Int32Array(scope.length);
        for (let d = scope.length - 1, product = 1; d >= 0; product *= bucketSizes[d--]) {
          strides[d] = product;
        }
        given[scope[0]].push({ sender: this.#buckets.length, start: message, scope, strides });
      }
      this.#buckets.push({
        node,
        scope,
        sizes: bucketSizes,
        factors,
        table,
        message,
        messageEntries,
      });
      table += messageEntries * sizes[node];
      message += messageEntries;
    }
    this.#tables = new Float64Array(table);
    this.#messages = new Float64Array(message);
  }

  /** The minimum and labels that have it, of several the first; labels are overwritten by the next call. */
  minimise({ unary, pair }: PairRow): { value: number; labels: Int32Array } {
    const { sizes, start } = this.#model;
    const [tables, messages, labels] = [this.#tables, this.#messages, this.#labels];
    let value = 0;
    for (const bucket of this.#buckets) {
      const { node, table, message, messageEntries, scope } = bucket;
      const own = sizes[node];
      for (let e = 0, at = table; e < messageEntries; e++) {
        for (let x = 0; x < own; x++) tables[at++] = unary[start[node] + x];
      }
      for (const factor of bucket.factors) {
        addFactor(tables, bucket, own, factor.sender < 0 ? pair : messages, factor);
      }
      for (let e = 0, at = table; e < messageEntries; e++) {
        let least = tables[at++];
        for (let x = 1; x < own; x++, at++) if (tables[at] < least) least = tables[at];
        messages[message + e] = least;
      }
      if (scope.length === 0) value += messages[message];
    }
    for (let k = this.#buckets.length - 1; k >= 0; k--) {
      const { node, scope, sizes: around, table } = this.#buckets[k];
      let at = 0;
      for (let d = 0; d < scope.length; d++) at = at * around[d] + labels[scope[d]];
      at = table + at * sizes[node];
      let best = 0;
      for (let x = 1; x < sizes[node]; x++) if (tables[at + x] < tables[at + best]) best = x;
      labels[node] = best;
    }
    return { value, labels };
  }

  /**
   * For each option the minimum with that option chosen, of the costs of the last {@linkcode minimise}: messages back
   * from the last bucket to the first. May be called once a minimisation.
   */
  leastWith(): Float64Array {
    const { sizes, start } = this.#model;
    const [tables, messages] = [this.#tables, this.#messages];
    const least = new Float64Array(start[sizes.length]).fill(Infinity);
    // Messages of roots are the minima of parts of the graph that nothing joins: each part adds those of the others.
    let value = 0;
    for (const { scope, message } of this.#buckets) {
      if (scope.length === 0) value += messages[message];
    }
    const back = new Float64Array(messages.length);
    for (let k = this.#buckets.length - 1; k >= 0; k--) {
      const bucket = this.#buckets[k];
      const { node, scope, table, message, messageEntries } = bucket;
      const own = sizes[node];
      for (let e = 0, at = table; e < messageEntries; e++) {
        const more = scope.length > 0
          ? back[message + e]
          : value === Infinity
          ? Infinity
          : value - messages[message];
        for (let x = 0; x < own; x++, at++) {
          const total = tables[at] += more;
          if (total < least[start[node] + x]) least[start[node] + x] = total;
        }
      }
      for (const factor of bucket.factors) {
        if (factor.sender < 0) continue;
        const { message: first, messageEntries: entries } = this.#buckets[factor.sender];
        back.fill(Infinity, first, first + entries);
        leastByFactor(tables, bucket, own, back, factor);
        for (let e = first; e < first + entries; e++) {
          back[e] = back[e] === Infinity ? Infinity : back[e] - messages[e];
        }
      }
    }
    return least;
  }
}

/** Labels of a scope while its entries are walked through; one for all, since nothing walks twice at once. */
const digits = new Int32Array(64);

function addFactor(
  tables: Float64Array,
  { table, sizes }: Bucket,
  own: number,
  data: Float64Array,
  { start, strides, stride }: Factor,
) {
  const last = sizes.length - 1;
  digits.fill(0, 0, sizes.length);
  for (let at = table, from = start;;) {
    for (let x = 0, q = from; x < own; x++, q += stride) tables[at++] += data[q];
    let d = last;
    for (; d >= 0; d--) {
      if (++digits[d] < sizes[d]) {
        from += strides[d];
        break;
      }
      from -= strides[d] * (sizes[d] - 1);
      digits[d] = 0;
    }
    if (d < 0) return;
  }
}

/** The least entries of a bucket's table by the labels that a factor knows. */
function leastByFactor(
  tables: Float64Array,
  { table, sizes }: Bucket,
  own: number,
  least: Float64Array,
  { start, strides, stride }: Factor,
) {
  const last = sizes.length - 1;
  digits.fill(0, 0, sizes.length);
  for (let at = table, to = start;;) {
    for (let x = 0, q = to; x < own; x++, q += stride, at++) {
      if (tables[at] < least[q]) least[q] = tables[at];
    }
    let d = last;
    for (; d >= 0; d--) {
      if (++digits[d] < sizes[d]) {
        to += strides[d];
        break;
      }
      to -= strides[d] * (sizes[d] - 1);
      digits[d] = 0;
    }
    if (d < 0) return;
  }
}
