/**
 * The cheapest plan within budgets, with a proof of how good it is.
 *
 * @module
 */
import { checkOptions, checkProblem } from "./check_problem.ts";
import { modelOf } from "./model.ts";
import type { NoPlan, PlanProblem, PlanSolution, SolveOptions } from "./problem.ts";
import { gapOf, search } from "./search.ts";

/** See {@linkcode SolveOptions}. */
const DEFAULTS = { nodes: 2000, gap: 1e-3, start: [] };

/**
 * The choice of an option for each node with the least objective within all budgets and limits; of equal ones the one
 * found first, which is the same for the same inputs in every engine. Budgets are kept but for rounding of sums (1e-12 of
 * the sum of magnitudes). Throws a {@linkcode PlimsollError} of kind "usage" for problems that make no sense.
 */
export function solvePlan(problem: PlanProblem, options: SolveOptions = {}): PlanSolution | NoPlan {
  checkProblem(problem);
  const all = { ...DEFAULTS, ...options };
  checkOptions(problem, all);
  const { labels, bound, branches } = search(modelOf(problem), {
    branches: all.nodes,
    gap: all.gap,
    start: all.start.map((choice) => Int32Array.from(choice)),
  });
  if (!labels) return { infeasible: true, ...whyNot(problem, bound, branches) };
  const choice = [...labels];
  const totals = totalsOf(problem, choice);
  const value = totals[problem.objective];
  return {
    choice,
    totals,
    bound: Math.min(bound, value),
    gap: gapOf(value, bound),
    nodes: branches,
  };
}

/** Total of each dimension: nodes, then borders, in the problem's order. */
export function totalsOf(problem: PlanProblem, choice: readonly number[]): number[] {
  return problem.dimensions.map((_, d) => {
    let total = 0;
    for (const [i, { options }] of problem.nodes.entries()) total += options[choice[i]].costs[d];
    for (const { a, b, costs } of problem.borders) {
      total += costs[d]?.[choice[a]][choice[b]] ?? 0;
    }
    return total;
  });
}

/** Digits of sums in messages; what differs behind them is rounding. */
const DIGITS = 9;
/** Whether a least sum is above what it may be, and not by rounding. */
function exceeds(least: number, most: number): boolean {
  return least - most > 1e-9 * Math.max(Math.abs(least), Math.abs(most));
}

/** Says which budget or limit alone is too small, if one is. */
function whyNot(problem: PlanProblem, bound: number, branches: number): Omit<NoPlan, "infeasible"> {
  const { dimensions, limits = [] } = problem;
  const without = { ...problem, budgets: [], limits: [] };
  const leastOf = (alone: PlanProblem) =>
    search(modelOf(alone), { branches, gap: 0, start: [] }).bound;
  if (leastOf(without) === Infinity) {
    return { why: "What may not stand beside what leaves no plan at all", proved: true };
  }
  const tooSmall = (name: string, least: number, most: number) => ({
    why: `${name} can't be less than ${
      Number(least.toPrecision(DIGITS))
    }, and may be ${most} at most`,
    proved: true,
  });
  for (const { dimension, most } of problem.budgets) {
    const least = leastOf({ ...without, objective: dimension });
    if (exceeds(least, most)) return tooSmall(dimensions[dimension], least, most);
  }
  for (const [at, { name = `limit ${at}`, most, terms }] of limits.entries()) {
    // No border says what a step costs, so that each node's least is the least of all but for what is forbidden.
    const byNode = new Map<number, number[]>();
    for (const { node, costs } of terms) {
      const sum = byNode.get(node);
      byNode.set(node, costs.map((cost, x) => cost + (sum?.[x] ?? 0)));
    }
    let least = 0;
    for (const costs of byNode.values()) least += Math.min(...costs);
    if (exceeds(least, most)) return tooSmall(name, least, most);
  }
  return bound === Infinity
    ? {
      why: "Each budget could be kept alone, but not all budgets and limits together",
      proved: true,
    }
    : { why: `No plan within all budgets and limits in ${branches} branches`, proved: false };
}
