/**
 * The Pareto front of the objective against one other dimension.
 *
 * @module
 */
import { checkDimension } from "./check_problem.ts";
import type { NoPlan, PlanProblem, PlanSolution, SolveOptions } from "./problem.ts";
import { solvePlan } from "./solve_plan.ts";

/** Settings of {@linkcode paretoFront}. */
export interface FrontOptions extends SolveOptions {
  /** Plans that are solved for at most; 24 by default, from 2. Fewer come back where several are the same. */
  readonly points?: number;
}

/** Budgets between which the front isn't known, with the plans at both. */
interface Stretch {
  readonly low: number;
  readonly high: number;
  readonly at: PlanSolution;
  readonly until: PlanSolution;
}

/**
 * Plans of which none is at least as good as another in both the objective and dimension `across`, by rising totals of
 * `across`. Both ends are there: the least of `across`, and the least objective, all within the problem's budgets. Between
 * them budgets are halved where most is unknown: where the rectangle between two plans is largest. Each plan's bound holds
 * for all plans with no more of `across`. Throws as `solvePlan` does.
 */
export function paretoFront(
  problem: PlanProblem,
  across: number,
  options: FrontOptions = {},
): PlanSolution[] | NoPlan {
  checkDimension(problem, across);
  const { points = 24, ...own } = options;
  const start = [...own.start ?? []];
  const solve = (most: number): PlanSolution | NoPlan => {
    const budgets = [...problem.budgets, { dimension: across, most }];
    const found = solvePlan({ ...problem, budgets }, { ...own, start });
    if (!("infeasible" in found)) start.push(found.choice);
    return found;
  };
  const last = solve(Infinity);
  if ("infeasible" in last) return last;
  // To the last bit: a plan that is a little above the least would leave its own budget without a plan.
  const least = solvePlan({ ...problem, objective: across }, { ...own, start });
  if ("infeasible" in least) return least;
  start.push(least.choice);
  const first = solve(least.totals[across]);
  if ("infeasible" in first) return first;
  const found = [first, last];
  const value = ({ totals }: PlanSolution) => totals[problem.objective];
  const area = ({ low, high, at, until }: Stretch) =>
    Math.max(0, high - low) * Math.max(0, value(at) - value(until));
  const stretches: Stretch[] = [
    { low: first.totals[across], high: last.totals[across], at: first, until: last },
  ];
  while (found.length < points) {
    let largest = 0;
    for (let k = 1; k < stretches.length; k++) {
      if (area(stretches[k]) > area(stretches[largest])) largest = k;
    }
    const [stretch] = stretches.splice(largest, 1);
    if (!stretch || !(area(stretch) > 0)) break;
    const { low, high, at, until } = stretch;
    const middle = low + (high - low) / 2;
    // Halves of neighbouring numbers are one of them.
    if (!(middle > low && middle < high)) continue;
    const plan = solve(middle);
    if ("infeasible" in plan) continue;
    found.push(plan);
    stretches.push(
      // What is best within the middle is best within its own total, too.
      { low, high: plan.totals[across], at, until: plan },
      { low: middle, high, at: plan, until },
    );
  }
  found.sort((a, b) => a.totals[across] - b.totals[across] || value(a) - value(b));
  const front: PlanSolution[] = [];
  for (const plan of found) {
    if (front.length === 0 || value(plan) < value(front[front.length - 1])) front.push(plan);
  }
  return front;
}
