/**
 * Branch and bound on Lagrangian bounds: a branch is a set of options that are still allowed. Its bound comes from the
 * dual; options whose own bound is no better than what is known already are taken away; then one node's options become
 * branches. Rows join when labels exceed them, since few of hundreds of limits bind.
 *
 * @module
 */
import { type Dual, maximiseDual } from "./dual.ts";
import { BoundHeap } from "./heap.ts";
import { Improver } from "./improve.ts";
import { exceededRow, type Model, selectRows, spanOf, totalOf } from "./model.ts";
import { oracleOf } from "./oracle.ts";
import {
  labelsOfPart,
  labelsOfWhole,
  restrict,
  type Restricted,
  supportOptions,
} from "./restrict.ts";

/** What {@linkcode search} found. */
export interface Found {
  /** The best labels, undefined if none were found. */
  readonly labels: Int32Array | undefined;
  /** No labels within all rows have an objective below. */
  readonly bound: number;
  /** Branches that were looked at. */
  readonly branches: number;
}

/** Settings of {@linkcode search}. */
export interface SearchOptions {
  /** Branches at most. */
  readonly branches: number;
  /** Relative distance of objective and bound that is good enough. */
  readonly gap: number;
  /** Labels to begin with, within all rows or not. */
  readonly start: readonly Int32Array[];
}

interface Branch {
  readonly allowed: Uint8Array;
  /** By row of the whole model; rows that aren't active have 0. */
  readonly multipliers: Float64Array;
  readonly bound: number;
}

/** Subgradient steps for a relaxation of the whole and of a branch. */
const [FIRST_STEPS, LATER_STEPS] = [300, 30];
/** Minimisations on average at most, so that many rows or large parts don't take many times as long. */
const MINIMISATIONS_A_BRANCH = 10;
/** Labels that are kept for the mixtures of later branches. */
const POOL = 64;
/** Part of the distance to the best plan that a bound may be worse than the best bound. */
const NEAR = 0.02;
/** Distances are relative to the bound, but never to less than this. */
export const TINY = 1e-300;

/** Relative distance of an objective to a bound below it. */
export function gapOf(value: number, bound: number): number {
  return value <= bound ? 0 : (value - bound) / Math.max(Math.abs(bound), TINY);
}

/** The least labels of a model within its rows. */
export function search(model: Model, options: SearchOptions): Found {
  return new Search(model, options).run();
}

class Search {
  readonly #model: Model;
  readonly #options: SearchOptions;
  readonly #improver: Improver;
  /** Rows that multipliers are looked for; the objective is the first. */
  #active = [0];
  /** The model with the active rows. */
  #working: Model;
  /** Labels that minimised something lately. */
  readonly #pool: Int32Array[] = [];
  #labels: Int32Array | undefined;
  #value = Infinity;
  /** Objective of the best plan that others were looked for nearby. */
  #improved = Infinity;
  /** Least bound of what was given up. */
  #givenUp = Infinity;
  /** Above this there is nothing within all rows. */
  readonly #impossible: number;

  /** How many are left. */
  #minimisations: number;

  constructor(model: Model, options: SearchOptions) {
    this.#minimisations = MINIMISATIONS_A_BRANCH * options.branches;
    this.#model = model;
    this.#options = options;
    this.#improver = new Improver(model);
    this.#working = selectRows(model, this.#active);
    const { high, magnitude } = spanOf(model, model.rows[0]);
    this.#impossible = high + 1e-9 * magnitude + TINY;
  }

  run(): Found {
    const { start, sizes } = this.#model;
    const allowed = new Uint8Array(start[sizes.length]).fill(1);
    for (const labels of this.#options.start) {
      this.#take(labels);
      this.#improve(labels);
    }
    if (!supportOptions(this.#model, allowed)) {
      return { labels: undefined, bound: Infinity, branches: 0 };
    }
    const multipliers = new Float64Array(this.#model.rows.length);
    const open = new BoundHeap<Branch>();
    let branches = 0;
    let next: Branch | undefined = { allowed, multipliers, bound: -Infinity };
    for (; branches < this.#options.branches && this.#minimisations > 0; branches++) {
      next ??= open.pop();
      if (!next) break;
      const branch: Branch = next;
      next = undefined;
      if (this.#isEnough(branch.bound)) {
        this.#giveUp(branch.bound);
        continue;
      }
      const below = this.#look(branch, branches === 0);
      // The best of a branch's own is looked at next: going down first finds good plans early.
      let best = 0;
      for (const [at, { bound }] of below.entries()) if (bound < below[best].bound) best = at;
      for (const [at, child] of below.entries()) {
        if (at === best) next = child;
        else open.push(child);
      }
    }
    if (next) open.push(next);
    const first = open.pop();
    const least = Math.min(this.#givenUp, first?.bound ?? Infinity);
    // What rounding may have done to sums is no gap.
    const bound = least >= this.#value - this.#model.tolerance[0] ? this.#value : least;
    return { labels: this.#labels, bound, branches };
  }

  /** Bounds a branch; returns what it falls into, nothing if nothing better can be in it. */
  #look(branch: Branch, first: boolean): Branch[] {
    const allowed = branch.allowed.slice();
    let { multipliers, bound } = branch;
    for (;;) {
      const part = restrict(this.#working, allowed);
      if (!part) return [];
      if (part.nodes.length === 0) {
        this.#take(part.settled);
        if (exceededRow(this.#model, part.settled) === 0) {
          this.#giveUp(Math.max(bound, part.constant));
        }
        return [];
      }
      const own = Float64Array.from(this.#active, (r) => multipliers[r]);
      const oracle = oracleOf(part.model, own, first ? FIRST_STEPS : LATER_STEPS);
      const dual = maximiseDual(oracle, {
        multipliers: own,
        enough: () => this.#enough() - part.constant,
        minimisations: Math.max(0, this.#minimisations),
        known: this.#pool.map((labels) => labelsOfPart(part, labels)).filter((found) =>
          found !== undefined
        ),
        near: (found) => this.#near(part.constant + found),
        see: (labels) => {
          const whole = labelsOfWhole(part, labels);
          if (this.#pool.length === POOL) this.#pool.shift();
          this.#pool.push(whole);
          this.#minimisations--;
          this.#take(whole);
        },
      });
      multipliers = new Float64Array(this.#model.rows.length);
      for (const [at, r] of this.#active.entries()) multipliers[r] = dual.multipliers[at];
      bound = Math.max(bound, part.constant + dual.bound);
      if (this.#isEnough(bound)) {
        this.#giveUp(bound);
        return [];
      }
      const known = this.#active.length;
      for (const { labels } of dual.mixture) {
        const row = exceededRow(this.#model, labelsOfWhole(part, labels));
        if (row > 0 && !this.#active.includes(row)) this.#active = [...this.#active, row];
      }
      if (this.#active.length > known && this.#minimisations > 0) {
        this.#working = selectRows(this.#model, this.#active);
        continue;
      }
      this.#lookAround(part, dual.mixture);
      if (this.#isEnough(bound)) {
        this.#giveUp(bound);
        return [];
      }
      if (dual.boundWith) {
        const removed = this.#takeAway(part, allowed, dual.boundWith);
        if (removed === undefined) return [];
        if (removed > part.labels.length / 5 && this.#minimisations > 0) continue;
      }
      return this.#divide(part, { allowed, multipliers, bound }, dual, oracle.copies);
    }
  }

  /** Takes options away that can't be in better labels; how many, undefined if a node has none left. */
  #takeAway(part: Restricted, allowed: Uint8Array, boundWith: Float64Array): number | undefined {
    let removed = 0;
    const { start } = part.model;
    for (let i = 0; i < part.nodes.length; i++) {
      let left = 0;
      for (let at = start[i]; at < start[i + 1]; at++) {
        const bound = part.constant + boundWith[at];
        if (!this.#isEnough(bound)) {
          left++;
          continue;
        }
        this.#giveUp(bound);
        allowed[this.#model.start[part.nodes[i]] + part.labels[at]] = 0;
        removed++;
      }
      if (left === 0) return undefined;
    }
    return removed;
  }

  /** A branch for every option of the node that the mixture is least sure of. */
  #divide(
    part: Restricted,
    { allowed, multipliers, bound }: Branch,
    { mixture, boundWith }: Dual,
    copies: Int32Array,
  ): Branch[] {
    const { model, nodes } = part;
    const { start, sizes } = model;
    const shares = new Float64Array(start[sizes.length]);
    for (const { labels, share } of mixture) {
      for (let i = 0; i < labels.length; i++) {
        const node = i < nodes.length ? i : copies[i - nodes.length];
        shares[start[node] + labels[i]] += share;
      }
    }
    let [chosen, score] = [-1, -1];
    for (let i = 0; i < nodes.length; i++) {
      let left = 0;
      let [sum, greatest, low, high] = [0, 0, Infinity, -Infinity];
      for (let at = start[i]; at < start[i + 1]; at++) {
        if (!allowed[this.#model.start[nodes[i]] + part.labels[at]]) continue;
        left++;
        sum += shares[at];
        greatest = Math.max(greatest, shares[at]);
        if (shares[at] === 0) continue;
        low = Math.min(low, model.rows[0].unary[at]);
        high = Math.max(high, model.rows[0].unary[at]);
      }
      if (left < 2) continue;
      const doubt = sum - greatest;
      const own = doubt > 1e-9 ? doubt * (high - low) + doubt * 1e-9 : 0;
      if (own > score) [chosen, score] = [i, own];
    }
    // All nodes may have one option left after options were taken away.
    if (chosen < 0) return [{ allowed, multipliers, bound }];
    const node = nodes[chosen];
    const from = this.#model.start[node];
    const below: Branch[] = [];
    for (let at = start[chosen]; at < start[chosen + 1]; at++) {
      const option = from + part.labels[at];
      if (!allowed[option]) continue;
      const own = allowed.slice();
      own.fill(0, from, this.#model.start[node + 1]);
      own[option] = 1;
      below.push({
        allowed: own,
        multipliers,
        bound: Math.max(bound, boundWith ? part.constant + boundWith[at] : -Infinity),
      });
    }
    return below;
  }

  /** Looks for plans near the labels of a mixture, and near the best plan if that is new. */
  #lookAround(part: Restricted, mixture: Dual["mixture"]): void {
    const improver = new Improver(part.model);
    for (const { labels } of mixture) {
      const near = improver.improve(labels.subarray(0, part.nodes.length));
      if (near) this.#take(labelsOfWhole(part, near));
    }
    if (this.#value < this.#improved) this.#improve(this.#labels!);
  }

  /** Looks for plans near labels among all there are. */
  #improve(labels: Int32Array): void {
    const better = this.#improver.improve(labels);
    if (better) this.#take(better);
    this.#improved = this.#value;
  }

  /** Takes labels as the best plan if they are one. */
  #take(labels: Int32Array): void {
    const value = totalOf(this.#model, this.#model.rows[0], labels);
    if (!(value < this.#value) || exceededRow(this.#model, labels) > 0) return;
    [this.#labels, this.#value] = [labels.slice(), value];
  }

  /** Whether nothing in a branch with this bound is better than what is known by more than the gap. */
  #isEnough(bound: number): boolean {
    if (bound === -Infinity) return false;
    return bound >= this.#impossible ||
      this.#value - bound <=
        Math.max(this.#options.gap * Math.abs(bound), this.#model.tolerance[0]);
  }

  /** The bound that is enough. */
  #enough(): number {
    if (this.#value === Infinity) return this.#impossible;
    // value − b ≤ gap·|b| for the least b: value/(1 + gap) above 0, value/(1 − gap) below.
    const { gap } = this.#options;
    const relative = this.#value >= 0
      ? this.#value / (1 + gap)
      : gap < 1
      ? this.#value / (1 - gap)
      : -Infinity;
    return Math.min(relative, this.#value - this.#model.tolerance[0]);
  }

  /** How far a bound may be from the best: a small part of what a better one is for. */
  #near(bound: number): number {
    if (this.#value === Infinity) return this.#model.tolerance[0];
    const wanted = this.#options.gap * Math.abs(this.#value);
    return Math.max(NEAR * Math.max(wanted, this.#value - bound), this.#model.tolerance[0]);
  }

  #giveUp(bound: number): void {
    if (bound < this.#impossible) this.#givenUp = Math.min(this.#givenUp, bound);
  }
}
