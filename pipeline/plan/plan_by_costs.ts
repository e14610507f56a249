/**
 * The plan of a target that says what its kernels cost: each unit as its float or its integer kernel, whichever makes the
 * whole model faster by these costs, changes between floats and codes included. It needs no samples beyond statistics and
 * takes a minimum cut.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { Placement } from "../../tpc/placement/types.ts";
import type { Override, Target } from "../../tpc/targets/target.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { choicesOf, withoutFloatWeights } from "./choices.ts";
import { overridesOf, planProblem } from "./plan_problem.ts";
import { solvePlan } from "./solver/solve.ts";
import { estimateTimes, microseconds } from "./unit_times.ts";
import { elementsIn, workOfUnits } from "./unit_work.ts";

/** What leaves float what is faster so; nothing where the target says nothing of costs. */
export function planByCosts(
  statistics: Pick<Statistics, "outline" | "tensors" | "channels" | "data">,
  placement: Placement,
  target: Target,
): Override[] {
  const { costs, name } = target;
  if (costs === undefined) return [];
  const { outline } = statistics;
  const elements = elementsIn(statistics, placement);
  const work = workOfUnits(outline, placement.units, elements);
  const times = estimateTimes(placement.units, work, costs);
  const options = { float: true };
  const choices = choicesOf(placement, { ...target, options });
  const input = {
    outline,
    placement,
    // Floats with weights in codes take as long as floats, and fewer bytes.
    choices: { ...choices, units: choices.units.map(withoutFloatWeights) },
    work,
    times,
    elements,
    weightStorage: target.storage.weight,
  };
  const { problem, read } = planProblem(input, { least: "time" });
  const solution = solvePlan(problem);
  if ("infeasible" in solution) {
    throw new PlimsollError("target", {
      action: `planning for target ${name} by its costs`,
      wanted: "a plan that can be",
      found: solution.why,
      remedy: "This is a defect of Plimsoll: report it with the model",
    });
  }
  return overridesOf(input, read(solution.choice), (unit) => {
    const { float, integer } = times.units[unit];
    return `by the costs of ${name} it takes ${microseconds(float)} with floats and ${
      microseconds(integer)
    } ` +
      "with codes, beside changes between the two";
  });
}
