/**
 * A model with fewer options. Nodes that have one left are settled: their costs go to their neighbours, to `constant` and
 * to what the rows may still spend, so that branches of a search get smaller the deeper they are.
 *
 * @module
 */
import { emptyRow, type Model, type Pair, type PairRow, type Row, startsOf } from "./model.ts";

/** A part of another model, the whole. */
export interface Restricted {
  readonly model: Model;
  /** Objective of what is settled. */
  readonly constant: number;
  /** Node of the whole for each node. */
  readonly nodes: Int32Array;
  /** Label of the whole for each option, in the order of {@linkcode Row.unary}. */
  readonly labels: Int32Array;
  /** Label of each node of the whole that is settled, −1 of others. */
  readonly settled: Int32Array;
}

/** The model with the options that `allowed` has 1 for (by {@linkcode Model.start}); undefined if nothing is left. */
export function restrict(whole: Model, allowed: Uint8Array): Restricted | undefined {
  const count = whole.sizes.length;
  const settled = new Int32Array(count).fill(-1);
  const place = new Int32Array(count).fill(-1);
  const nodes: number[] = [];
  const sizes: number[] = [];
  const labels: number[] = [];
  for (let i = 0; i < count; i++) {
    const left: number[] = [];
    for (let x = 0; x < whole.sizes[i]; x++) if (allowed[whole.start[i] + x]) left.push(x);
    if (left.length === 0) return undefined;
    if (left.length === 1) {
      settled[i] = left[0];
      continue;
    }
    place[i] = nodes.length;
    nodes.push(i);
    sizes.push(left.length);
    labels.push(...left);
  }
  const start = startsOf(Int32Array.from(sizes));
  const pairs: Pair[] = [];
  const origins: Pair[] = [];
  let entries = 0;
  for (const pair of whole.pairs) {
    const [a, b] = [place[pair.a], place[pair.b]];
    if (a < 0 || b < 0) continue;
    pairs.push({ a, b, start: entries });
    origins.push(pair);
    entries += sizes[a] * sizes[b];
  }
  const most = whole.most.slice();
  let constant = 0;
  const rows = whole.rows.map((from, r): Row => {
    const row = emptyRow(labels.length, from.pair ? entries : 0);
    let spent = 0;
    for (let i = 0; i < count; i++) {
      if (settled[i] >= 0) spent += from.unary[whole.start[i] + settled[i]];
    }
    for (let i = 0; i < nodes.length; i++) {
      for (let at = start[i]; at < start[i + 1]; at++) {
        row.unary[at] = from.unary[whole.start[nodes[i]] + labels[at]];
      }
    }
    if (from.pair) {
      for (const { a, b, start: at } of whole.pairs) {
        const width = whole.sizes[b];
        const [first, second] = [settled[a], settled[b]];
        if (first >= 0 && second >= 0) spent += from.pair[at + first * width + second];
        else if (first >= 0) {
          for (let y = start[place[b]]; y < start[place[b] + 1]; y++) {
            row.unary[y] += from.pair[at + first * width + labels[y]];
          }
        } else if (second >= 0) {
          for (let x = start[place[a]]; x < start[place[a] + 1]; x++) {
            row.unary[x] += from.pair[at + labels[x] * width + second];
          }
        }
      }
      for (let p = 0; p < pairs.length; p++) {
        const { a, b } = pairs[p];
        const [from0, width] = [origins[p].start, whole.sizes[origins[p].b]];
        let to = pairs[p].start;
        for (let x = start[a]; x < start[a + 1]; x++) {
          for (let y = start[b]; y < start[b + 1]; y++) {
            row.pair[to++] = from.pair[from0 + labels[x] * width + labels[y]];
          }
        }
      }
    }
    if (r === 0) constant = spent;
    else most[r] -= spent;
    return from.pair ? row : { unary: row.unary, pair: undefined };
  });
  if (constant === Infinity) return undefined;
  return {
    model: {
      sizes: Int32Array.from(sizes),
      start,
      pairs,
      rows,
      most,
      tolerance: whole.tolerance,
    },
    constant,
    nodes: Int32Array.from(nodes),
    labels: Int32Array.from(labels),
    settled,
  };
}

/** Labels of the whole for labels of the part; the part may have further nodes behind its own. */
export function labelsOfWhole(
  { model: { start }, nodes, labels, settled }: Restricted,
  part: Int32Array,
): Int32Array {
  const whole = settled.slice();
  for (let i = 0; i < nodes.length; i++) whole[nodes[i]] = labels[start[i] + part[i]];
  return whole;
}

/** Labels of the part for labels of the whole; undefined if one isn't allowed in it. */
export function labelsOfPart(
  { model: { start }, nodes, labels, settled }: Restricted,
  whole: Int32Array,
): Int32Array | undefined {
  for (let i = 0; i < whole.length; i++) {
    if (settled[i] >= 0 && settled[i] !== whole[i]) return undefined;
  }
  const part = new Int32Array(nodes.length);
  for (let i = 0; i < nodes.length; i++) {
    const at = labels.subarray(start[i], start[i + 1]).indexOf(whole[nodes[i]]);
    if (at < 0) return undefined;
    part[i] = at;
  }
  return part;
}

/**
 * Takes options away that a neighbour has no partner for, until all have one (arc consistency; Mackworth 1977,
 * "Consistency in networks of relations"). In place; false if a node has none left.
 */
export function supportOptions({ sizes, start, pairs, rows }: Model, allowed: Uint8Array): boolean {
  const { unary, pair } = rows[0] as PairRow;
  for (let at = 0; at < allowed.length; at++) if (unary[at] === Infinity) allowed[at] = 0;
  for (let changed = true; changed;) {
    changed = false;
    for (const { a, b, start: from } of pairs) {
      for (const [node, other, stride, otherStride] of [[a, b, sizes[b], 1], [b, a, 1, sizes[b]]]) {
        for (let x = 0; x < sizes[node]; x++) {
          if (!allowed[start[node] + x]) continue;
          let has = false;
          for (let y = 0; y < sizes[other] && !has; y++) {
            has = allowed[start[other] + y] === 1 &&
              pair[from + x * stride + y * otherStride] < Infinity;
          }
          if (has) continue;
          allowed[start[node] + x] = 0;
          changed = true;
        }
      }
    }
  }
  for (let i = 0; i < sizes.length; i++) {
    if (!allowed.subarray(start[i], start[i + 1]).includes(1)) return false;
  }
  return true;
}
