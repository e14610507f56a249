/**
 * A plan as numbers: decisions, what each option costs, what neighbours cost each other, what may be spent.
 *
 * Costs add up: the total of dimension d is Σ costs of the chosen options + Σ costs of the borders between them. Units
 * are the caller's, one a dimension (dB, milliseconds, bytes …); the solver only adds and compares within a dimension.
 *
 * @module
 */

/** One way to do a unit. */
export interface PlanOption {
  /** One value a dimension of {@linkcode PlanProblem.dimensions}; +Infinity forbids the option. */
  readonly costs: readonly number[];
}

/** A decision: a unit of the network, or a helper such as "a quantizer stands on tensor T". */
export interface PlanNode {
  /** For messages. */
  readonly name: string;
  /** At least one. */
  readonly options: readonly PlanOption[];
}

/** What two decisions cost each other: quantizer pairs, layout changes. Several on the same pair add up. */
export interface PlanBorder {
  /** Index of a node. */
  readonly a: number;
  /** Index of another node. */
  readonly b: number;
  /** costs[dimension][option of a][option of b], null for none in a dimension; +Infinity forbids a combination. */
  readonly costs: readonly (readonly (readonly number[])[] | null)[];
}

/** Not more than `most` of a dimension in total; Infinity is no budget. */
export interface PlanBudget {
  /** Index into {@linkcode PlanProblem.dimensions}. */
  readonly dimension: number;
  /** In the dimension's unit. */
  readonly most: number;
}

/** A linear limit of its own, for example the live activation memory at one step: Σ costs of the terms ≤ most. */
export interface PlanLimit {
  /** In the unit of the terms; Infinity is no limit. */
  readonly most: number;
  /** Finite costs by option of the node; nodes that aren't named cost 0, and several terms of a node add up. */
  readonly terms: readonly { readonly node: number; readonly costs: readonly number[] }[];
  /** For messages. */
  readonly name?: string;
}

/** All that the solver has to know. */
export interface PlanProblem {
  /** Names of the cost dimensions, for example `["loss", "time", "size"]`. */
  readonly dimensions: readonly string[];
  /** The decisions. */
  readonly nodes: readonly PlanNode[];
  /** Costs between two decisions each. */
  readonly borders: readonly PlanBorder[];
  /** Index of the dimension to minimise. */
  readonly objective: number;
  /** Budgets of whole dimensions; the objective may have one, too. */
  readonly budgets: readonly PlanBudget[];
  /** Further linear limits; may be hundreds, as long as few of them bind. */
  readonly limits?: readonly PlanLimit[];
}

/** When to stop. Counts, never a clock: the same inputs give the same plan. */
export interface SolveOptions {
  /** Nodes of the branch and bound tree at most; 2000 by default. */
  readonly nodes?: number;
  /** Proven relative distance to the optimum that is good enough; 1e-3 by default, 0 for the optimum itself. */
  readonly gap?: number;
  /** Choices to begin with, for example plans of other budgets; those that don't fit are repaired or dropped. */
  readonly start?: readonly (readonly number[])[];
}

/** A plan within all budgets, and how good it is at least. */
export interface PlanSolution {
  /** Option of each node. */
  readonly choice: number[];
  /** Total of each dimension, summed by nodes and then borders in the problem's order. */
  readonly totals: number[];
  /** No plan has an objective below this, but for rounding of sums (1e-12 of the sum of magnitudes). */
  readonly bound: number;
  /** (objective − bound) / max(|bound|, tiny); 0 for a proven optimum. */
  readonly gap: number;
  /** Nodes of the branch and bound tree that were looked at. */
  readonly nodes: number;
}

/** There is no plan, or none was found. */
export interface NoPlan {
  readonly infeasible: true;
  /** What stands in the way, as a sentence for users. */
  readonly why: string;
  /** Whether it is certain; otherwise the nodes ran out before one was found. */
  readonly proved: boolean;
}
