/**
 * The best lower bound that multipliers of budgets give (Geoffrion 1974): max over λ ≥ 0 of the least objective + Σ λ_r·
 * (row r − what it may be). Labels that are seen on the way are candidates for plans.
 *
 * @module
 */
import { type Column, Master } from "./master.ts";
import { combineRows, type PairRow, spanOf, totalOf } from "./model.ts";
import type { Oracle } from "./oracle.ts";

/** Labels in the master problem. */
interface LabelColumn extends Column {
  readonly labels: Int32Array;
}

/** What {@linkcode maximiseDual} found. */
export interface Dual {
  /** The bound, not above the objective of any labels within all rows. */
  readonly bound: number;
  /** Multipliers that give it; [0] is unused. */
  readonly multipliers: Float64Array;
  /** Labels that keep the rows on average, at the bound. */
  readonly mixture: readonly { readonly labels: Int32Array; readonly share: number }[];
  /** With each option the bound if it is chosen, for the multipliers above; undefined if the oracle has none. */
  readonly boundWith: Float64Array | undefined;
}

/** Settings of {@linkcode maximiseDual}. */
export interface DualOptions {
  /** Multipliers to begin with. */
  readonly multipliers: Float64Array;
  /** Labels of the first nodes that may be in a mixture, from elsewhere; none of them need be within the rows. */
  readonly known: readonly Int32Array[];
  /** Minimisations at most, but for the first and the last. */
  readonly minimisations: number;
  /** A bound that is enough. */
  readonly enough: () => number;
  /** How far a bound may be from the best that multipliers give. */
  readonly near: (bound: number) => number;
  /** Called with all labels that minimised something. */
  readonly see: (labels: Int32Array) => void;
}

/** Multipliers at first, in spans of the objective for a span of a row. */
const FIRST_LIMIT = 64;
/** Multipliers at last: more is noise. */
const LAST_LIMIT = 1e12;
/** Minimisations at most: for one row, for each further one, and for any number of rows. */
const [MINIMISATIONS, MORE_MINIMISATIONS, MOST_MINIMISATIONS] = [60, 20, 300];

/** Maximises the dual by cutting planes. */
export function maximiseDual(oracle: Oracle, options: DualOptions): Dual {
  const { model } = oracle;
  const { rows, most, tolerance } = model;
  const { enough, near, see } = options;
  const spans = rows.map((row) => {
    const { low, high } = spanOf(model, row);
    return high - low || 1;
  });
  // What rounding may add to sums counts as allowed, so that it never makes a plan impossible.
  const allowed = most.map((limit, r) => limit + tolerance[r]);
  let multipliers = options.multipliers.slice();
  let best = { bound: -Infinity, multipliers };
  let combined: PairRow | undefined;
  const combine = () => combined = combineRows(model, multipliers, combined);
  const columnOf = (labels: Int32Array): LabelColumn => ({
    labels,
    value: totalOf(model, rows[0], labels) / spans[0],
    excess: Float64Array.from(
      rows,
      (row, r) => r === 0 ? 1 : (totalOf(model, row, labels) - allowed[r]) / spans[r],
    ),
  });
  const look = (): LabelColumn => {
    const found = oracle.minimise(combine());
    let bound = found.value;
    for (let r = 1; r < rows.length; r++) {
      if (multipliers[r] > 0) bound -= multipliers[r] * allowed[r];
    }
    const labels = found.labels.slice();
    if (found.value < Infinity) see(labels);
    if (bound > best.bound) best = { bound, multipliers };
    return columnOf(labels);
  };
  let column = look();
  let mixture = [{ labels: column.labels, share: 1 }];
  if (rows.length > 1 && best.bound < enough()) {
    const limits = new Float64Array(rows.length).fill(FIRST_LIMIT);
    for (let r = 1; r < rows.length; r++) {
      limits[r] = Math.max(limits[r], 4 * multipliers[r] * spans[r] / spans[0]);
    }
    const master = new Master(column, limits);
    for (const labels of options.known) {
      const all = new Int32Array(model.sizes.length);
      all.set(labels);
      for (const [k, node] of oracle.copies.entries()) all[labels.length + k] = labels[node];
      const known = columnOf(all);
      if (known.value < Infinity) master.add(known);
    }
    const count = Math.min(
      MINIMISATIONS + MORE_MINIMISATIONS * (rows.length - 2),
      MOST_MINIMISATIONS,
      options.minimisations,
    );
    for (let i = 0; i < count && best.bound < enough(); i++) {
      const scaled = master.solve();
      if (scaled[0] * spans[0] - best.bound <= near(best.bound)) {
        const exceeded = master.exceeded().filter((r) => limits[r] < LAST_LIMIT);
        if (exceeded.length === 0) break;
        for (const r of exceeded) limits[r] *= 64;
        continue;
      }
      multipliers = scaled.map((value, r) => r === 0 ? 0 : value * spans[0] / spans[r]);
      column = look();
      master.add(column);
    }
    mixture = master.mixture().map(({ column, share }) => ({ labels: column.labels, share }));
  }
  if (!oracle.leastWith || best.bound >= enough()) {
    return { ...best, mixture, boundWith: undefined };
  }
  multipliers = best.multipliers;
  oracle.minimise(combine());
  const boundWith = oracle.leastWith();
  let rest = 0;
  for (let r = 1; r < rows.length; r++) {
    if (best.multipliers[r] > 0) rest += best.multipliers[r] * allowed[r];
  }
  return { ...best, mixture, boundWith: boundWith.map((value) => value - rest) };
}
