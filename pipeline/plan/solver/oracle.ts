/**
 * What minimises a model's rows, added up with multipliers: by elimination or a minimum cut exactly, else a relaxation.
 *
 * @module
 */
import { Elimination } from "./eliminate.ts";
import { leastFillOrder } from "./elimination_order.ts";
import { minimumCut, turnsOf } from "./minimum_cut.ts";
import { combineRows, type Model, type PairRow, totalOf } from "./model.ts";
import { relax, tighten } from "./relax.ts";

/** See the module's text. */
export interface Oracle {
  /** The model that is minimised; behind the nodes of the one that was given there may be copies of some. */
  readonly model: Model;
  /** Node that each further node is a copy of. */
  readonly copies: Int32Array;
  /** The minimum of a row of {@linkcode model} and labels of its nodes, which the next call may overwrite. */
  minimise(row: PairRow): { value: number; labels: Int32Array };
  /** For each option the least value with it, of the row minimised last; undefined if that can't be had. */
  leastWith?(): Float64Array;
}

const NO_COPIES = new Int32Array(0);

/** How to minimise a model near multipliers; `steps` is the work that a relaxation is worth. */
export function oracleOf(model: Model, multipliers: Float64Array, steps: number): Oracle {
  const cut = (): Oracle | undefined => {
    const turns = turnsOf(model);
    return turns && { model, copies: NO_COPIES, minimise: (row) => minimumCut(model, row, turns) };
  };
  // Without budgets nothing is asked but one minimum, which a cut finds fastest.
  const first = model.rows.length === 1 ? cut() : undefined;
  if (first) return first;
  const order = leastFillOrder(model);
  if (order) return eliminating(model, NO_COPIES, order);
  return cut() ?? relaxing(model, multipliers, steps);
}

function eliminating(model: Model, copies: Int32Array, order: Int32Array): Oracle {
  const elimination = new Elimination(model, order);
  return {
    model,
    copies,
    minimise: (row) => elimination.minimise(row),
    leastWith: () => elimination.leastWith(),
  };
}

function relaxing(whole: Model, multipliers: Float64Array, steps: number): Oracle {
  const row = combineRows(whole, multipliers);
  const relaxed = relax(whole, row);
  const { model, copies, order } = relaxed;
  const before = combineRows(model, multipliers);
  const after: PairRow = { unary: before.unary.slice(), pair: before.pair.slice() };
  const { labels } = new Elimination(model, order).minimise(after);
  tighten(relaxed, after, totalOf(whole, row, labels), steps);
  const [objective] = model.rows as [PairRow];
  moveAlong(objective.unary, before.unary, after.unary);
  moveAlong(objective.pair, before.pair, after.pair);
  return eliminating(model, copies, order);
}

function moveAlong(costs: Float64Array, before: Float64Array, after: Float64Array) {
  for (let at = 0; at < costs.length; at++) {
    if (costs[at] < Infinity) costs[at] += after[at] - before[at];
  }
}
