/**
 * The solver's own form of a problem: flat arrays, all costs finite but for those of the objective.
 *
 * A model has rows: row 0 is the objective, each further row r a budget or limit, Σ row r ≤ most[r]. A combination that
 * any dimension forbids costs +Infinity in row 0 and 0 in the others, so that multiples of rows never give NaN.
 *
 * @module
 */
import type { PlanProblem } from "./problem.ts";

/** Costs of one row. */
export interface Row {
  /** Option x of node i at start[i] + x. */
  readonly unary: Float64Array;
  /** Options x, y of pair p's ends at pairs[p].start + x·(options of b) + y; a row without is 0 at pairs. */
  readonly pair: Float64Array | undefined;
}

/** Two nodes that cost each other something; a pair of nodes occurs once. */
export interface Pair {
  readonly a: number;
  readonly b: number;
  /** Where its table begins in {@linkcode Row.pair}. */
  readonly start: number;
}

/** See the module's text. */
export interface Model {
  /** Options of each node. */
  readonly sizes: Int32Array;
  /** Where the options of each node begin in {@linkcode Row.unary}; one entry more than nodes. */
  readonly start: Int32Array;
  readonly pairs: readonly Pair[];
  readonly rows: readonly Row[];
  /** What rows may be at most; [0] is unused. */
  readonly most: Float64Array;
  /** By how much rounding of sums may exceed `most`. */
  readonly tolerance: Float64Array;
}

/** Rounding of sums of some 1000 values, as a share of the sum of magnitudes. */
const ROUNDING = 1e-12;

/** Where the options of nodes begin. */
export function startsOf(sizes: Int32Array): Int32Array {
  const start = new Int32Array(sizes.length + 1);
  for (let i = 0; i < sizes.length; i++) start[i + 1] = start[i] + sizes[i];
  return start;
}

/** A row that has pairs, too. */
export type PairRow = Row & { readonly pair: Float64Array };

/** A row of zeros. */
export function emptyRow(options: number, entries: number): PairRow {
  return { unary: new Float64Array(options), pair: new Float64Array(entries) };
}

/** The model of a problem that has been checked. Budgets and limits that can't be exceeded are left out. */
export function modelOf(problem: PlanProblem): Model {
  const { nodes, dimensions, objective } = problem;
  const sizes = Int32Array.from(nodes, ({ options }) => options.length);
  const start = startsOf(sizes);
  const found = new Map<number, Pair>();
  let entries = 0;
  const pairOf = (from: number, to: number) => {
    const [a, b] = from < to ? [from, to] : [to, from];
    let pair = found.get(a * sizes.length + b);
    if (!pair) {
      found.set(a * sizes.length + b, pair = { a, b, start: entries });
      entries += sizes[a] * sizes[b];
    }
    return pair;
  };
  const ends = problem.borders.map(({ a, b }) => pairOf(a, b));
  const options = start[sizes.length];
  const totals = dimensions.map(() => emptyRow(options, entries));
  for (const [i, node] of nodes.entries()) {
    for (const [x, { costs }] of node.options.entries()) {
      for (let d = 0; d < costs.length; d++) totals[d].unary[start[i] + x] = costs[d];
    }
  }
  for (const [at, { a, costs }] of problem.borders.entries()) {
    const pair = ends[at];
    for (const [d, table] of costs.entries()) {
      if (table === null) continue;
      const width = sizes[pair.b];
      const to = totals[d].pair;
      for (let x = 0; x < table.length; x++) {
        for (let y = 0; y < table[x].length; y++) {
          to[pair.start + (a === pair.a ? x * width + y : y * width + x)] += table[x][y];
        }
      }
    }
  }
  const rows: Row[] = [forbid(totals, objective)];
  const most = [Infinity];
  const add = (row: Row, limit: number) => {
    rows.push(row);
    most.push(limit);
  };
  for (const budget of problem.budgets) {
    // A copy, since the objective may have a budget and several budgets may be of one dimension.
    const { unary, pair } = totals[budget.dimension];
    add({ unary: finite(unary), pair: finite(pair) }, budget.most);
  }
  for (const { most, terms } of problem.limits ?? []) {
    const unary = new Float64Array(options);
    for (const { node, costs } of terms) {
      for (const [x, cost] of costs.entries()) unary[start[node] + x] += cost;
    }
    add({ unary, pair: undefined }, most);
  }
  const model = { sizes, start, pairs: [...found.values()], rows, most: Float64Array.from(most) };
  const spans = rows.map((row) => spanOf(model, row));
  const kept = rows.map((_, r) => r).filter((r) => r === 0 || spans[r].high > most[r]);
  return {
    ...model,
    rows: kept.map((r) => rows[r]),
    most: Float64Array.from(kept, (r) => most[r]),
    tolerance: Float64Array.from(kept, (r) => ROUNDING * spans[r].magnitude),
  };
}

/** The objective's row, +Infinity wherever any dimension is. */
function forbid(totals: readonly PairRow[], objective: number): PairRow {
  const unary = totals[objective].unary.slice();
  const pair = totals[objective].pair.slice();
  for (const row of totals) {
    for (let at = 0; at < unary.length; at++) if (row.unary[at] === Infinity) unary[at] = Infinity;
    for (let at = 0; at < pair.length; at++) if (row.pair[at] === Infinity) pair[at] = Infinity;
  }
  return { unary, pair };
}

function finite(costs: Float64Array): Float64Array {
  return costs.map((cost) => cost === Infinity ? 0 : cost);
}

/** Sums of the least, the greatest and the greatest absolute finite costs of nodes and pairs. */
export function spanOf(
  { sizes, start, pairs }: Pick<Model, "sizes" | "start" | "pairs">,
  { unary, pair }: Row,
): { low: number; high: number; magnitude: number } {
  let [low, high, magnitude] = [0, 0, 0];
  const add = (costs: Float64Array, from: number, to: number) => {
    let [least, greatest] = [Infinity, -Infinity];
    for (let at = from; at < to; at++) {
      if (costs[at] === Infinity) continue;
      least = Math.min(least, costs[at]);
      greatest = Math.max(greatest, costs[at]);
    }
    if (least > greatest) return;
    low += least;
    high += greatest;
    magnitude += Math.max(Math.abs(least), Math.abs(greatest));
  };
  for (let i = 0; i < sizes.length; i++) add(unary, start[i], start[i + 1]);
  if (pair) { for (const { a, b, start: at } of pairs) add(pair, at, at + sizes[a] * sizes[b]); }
  return { low, high, magnitude };
}

/** Total of a row for a label of each node. */
export function totalOf(model: Model, { unary, pair }: Row, labels: Int32Array): number {
  const { sizes, start, pairs } = model;
  let total = 0;
  for (let i = 0; i < sizes.length; i++) total += unary[start[i] + labels[i]];
  if (!pair) return total;
  for (const { a, b, start: at } of pairs) total += pair[at + labels[a] * sizes[b] + labels[b]];
  return total;
}

/** The row that labels exceed by the largest share of its span, 0 if they are within all. */
export function exceededRow(model: Model, labels: Int32Array): number {
  let [worst, row] = [0, 0];
  for (let r = 1; r < model.rows.length; r++) {
    const excess = totalOf(model, model.rows[r], labels) - model.most[r];
    if (excess <= model.tolerance[r]) continue;
    const share = excess / model.tolerance[r];
    if (row === 0 || share > worst) [worst, row] = [share, r];
  }
  return row;
}

/** The model with some of its rows, the objective among them. */
export function selectRows(model: Model, rows: readonly number[]): Model {
  return {
    ...model,
    rows: rows.map((r) => model.rows[r]),
    most: Float64Array.from(rows, (r) => model.most[r]),
    tolerance: Float64Array.from(rows, (r) => model.tolerance[r]),
  };
}

/** The objective and multiples of the other rows, added up into `into`; multipliers[0] is unused. */
export function combineRows(
  { rows }: Model,
  multipliers: ArrayLike<number>,
  into: PairRow = { unary: rows[0].unary.slice(), pair: rows[0].pair!.slice() },
): PairRow {
  const { unary, pair } = into;
  unary.set(rows[0].unary);
  pair.set(rows[0].pair!);
  for (let r = 1; r < rows.length; r++) {
    const factor = multipliers[r];
    if (factor === 0) continue;
    const row = rows[r];
    for (let at = 0; at < unary.length; at++) unary[at] += factor * row.unary[at];
    if (row.pair) { for (let at = 0; at < pair.length; at++) pair[at] += factor * row.pair[at]; }
  }
  return into;
}
