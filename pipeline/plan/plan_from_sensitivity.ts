/**
 * A plan from what was measured before: statistics, sensitivity and costs, without model, samples or inference.
 *
 * @module
 */
import type { Placement } from "../../tpc/placement/types.ts";
import type { Override, Target } from "../../tpc/targets/target.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { describeTensors, describeUnits, reasonsOf } from "./describe_plan.ts";
import { asUsersWant, estimate, firstEstimates, usualChoice } from "./estimates.ts";
import { goalOf, goalProblem, outOfReach, solveGoal } from "./goal.ts";
import type { Plan, PlanFigures, PlanWish } from "./plan.ts";
import { overridesOf } from "./plan_problem.ts";
import { paretoFront } from "./solver/solve.ts";

/** What {@linkcode planFrom} starts from. */
export interface PlanSource {
  /** Those that sensitivities were measured with. */
  readonly statistics: Statistics;
  /** Where the target, with everything on integers, puts quantizers. */
  readonly placement: Placement;
  /** What may be chosen. */
  readonly target: Target;
  /** With `sensitivity`; `seconds` and `measure` have been spent. */
  readonly wish: PlanWish & Required<Pick<PlanWish, "sensitivity">>;
}

/** A plan that nobody has made a model of. */
export interface ExpectedPlan {
  /** What turns the target's placement into the plan. */
  readonly overrides: readonly Override[];
  /** What was asked, in words. */
  readonly goal: string;
  /** What becomes of every unit that could be on integers. */
  readonly units: Plan["units"];
  /** Tensors with codes, the most expensive first. */
  readonly tensors: Plan["tensors"];
  /** What it is expected to cost; size is that of the weights alone. */
  readonly expected: PlanFigures;
  /** The same of everything on integers with the usual bits. */
  readonly usual: PlanFigures;
  /** Least losses for more and more time, or bits of weights where nobody knows times. */
  readonly front: readonly PlanFigures[];
}

/** Points of a front. */
const POINTS = 12;

/**
 * Plans.
 *
 * @throws {PlimsollError} kind `target` where nothing keeps the limits.
 */
export function planFrom({ statistics, placement, target, wish }: PlanSource): ExpectedPlan {
  const { sensitivity, costs } = wish;
  const estimates = firstEstimates({
    statistics,
    placement: asUsersWant(placement, target),
    target,
    sensitivity,
    costs,
  });
  const { input } = estimates;
  const usual = estimate(estimates, usualChoice(input));
  const goal = goalOf(wish, usual, costs !== undefined);
  const choice = solveGoal(estimates, goal);
  if (choice === undefined) throw outOfReach(target.name, goal);
  const all = goalProblem(estimates, { least: "loss", text: "" });
  const across = all.problem.dimensions.indexOf(costs === undefined ? "bits" : "time");
  const points = paretoFront(all.problem, across, { points: POINTS });
  return {
    overrides: overridesOf(input, choice, reasonsOf(input, choice)),
    goal: goal.text,
    units: describeUnits(input, choice, costs !== undefined),
    tensors: describeTensors(input, choice),
    expected: estimate(estimates, choice),
    usual,
    front: "infeasible" in points
      ? []
      : points.map(({ choice }) => estimate(estimates, all.read(choice))),
  };
}
