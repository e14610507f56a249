/**
 * The front of plans: models between everything on integers and floats, of which none is expected to be better than another
 * in both loss and time, or size where nobody knows times. Costs are measured once, and every point is made.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { createSession } from "../inference/default_runtime.ts";
import { choicesOf, withoutFloatWeights } from "../plan/choices.ts";
import { describeTensors, describeUnits, reasonsOf } from "../plan/describe_plan.ts";
import { correctByUsual, estimate, type Estimates, usualChoice } from "../plan/estimates.ts";
import { frontChoices } from "../plan/front_points.ts";
import type { FrontWish, PlanFigures, PlanRound } from "../plan/plan.ts";
import { overridesOf, type PlanChoice } from "../plan/plan_problem.ts";
import { placementFor } from "../search/placement.ts";
import { limitsOf } from "../verdict/limits.ts";
import { describeFigures, lossOf } from "./measure_plan.ts";
import { keyOf, measureParts, type PlanStart } from "./plan_loop.ts";
import { type Planned, withOverrides } from "./plan_passes.ts";
import type { Quantization, RunOptions } from "./run.ts";

/** What {@linkcode planFront} draws. */
export interface FrontSettings extends FrontWish {
  /** Makes a variant, and judges it. */
  readonly make: (variant: Planned) => Promise<Quantization>;
}

/**
 * Makes everything on integers, and the points of the front by rising time or size, each with a plan that has them all as
 * its rounds. Made models are measured in loss and size; times are for whoever runs them in turns. Which points there are
 * follows from costs and losses alone, so that given costs give the same models again.
 *
 * @throws {PlimsollError} kind `target` where the target leaves nothing to choose.
 */
export async function planFront(
  start: PlanStart,
  { points, make }: FrontSettings,
  options: RunOptions,
): Promise<Quantization[]> {
  const { variant, wish, reference } = start;
  const { runtime, signal, onEvent } = options;
  if (!hasChoices(start)) throw nothingToChoose(variant.target.name);
  const parts = await measureParts(start, options);
  const { sensitivity, samples } = parts;
  const costs = variant.target.options?.float ? parts.costs : undefined;
  const isTimed = costs !== undefined;
  let estimates = storingWeights({ ...parts.estimates, costs });
  const { input } = estimates;
  const made: { result: Quantization; choice: PlanChoice; round: PlanRound }[] = [];
  const add = async (name: string, choice: PlanChoice): Promise<void> => {
    signal?.throwIfAborted();
    const overrides = overridesOf(input, choice, reasonsOf(input, choice));
    const predicted = estimate(estimates, choice);
    const result = await make({
      ...withOverrides(variant, overrides),
      name,
    });
    await using session = await createSession(result.emitted, { name, runtime });
    const measured: PlanFigures = {
      loss: await lossOf(session, { reference, measure: wish.measure, signal }),
      latency: null,
      size: result.weights.reduce((sum, { length }) => sum + length, result.model.length),
    };
    await onEvent?.({
      kind: "note",
      text: `${name}: ${describeFigures(measured)}, expected ${describeFigures(predicted)}`,
    });
    made.push({ result, choice, round: { name, predicted, measured } });
  };
  const usual = usualChoice(input);
  await add("integers", usual);
  const [base] = made;
  const told = correctByUsual(estimates, base.round.predicted!, base.round.measured);
  estimates = told.estimates;
  base.round = { ...base.round, predicted: told.predicted };
  const choices = frontChoices(estimates, {
    across: isTimed ? "latency" : "bits",
    points,
    // Beyond, models are said to have lost what they are for.
    ...(sensitivity.measure === "squared" &&
      { mostLoss: 10 ** (-limitsOf(variant.recipe).leastSqnr / 10) }),
  }).filter((choice) => keyOf(choice) !== keyOf(usual));
  if (choices.length === 0) throw nothingToChoose(variant.target.name);
  for (const [i, choice] of choices.entries()) await add(`plan ${i + 1}`, choice);
  const rounds = made.map(({ round }) => round);
  return made.map(({ result, choice }, chosen) => ({
    ...result,
    sensitivity,
    plan: {
      schemaVersion: 1,
      goal: chosen === 0
        ? "everything on integers that the target can have so"
        : `a point of the front of loss against ${isTimed ? "time" : "bits of weights"}`,
      measure: sensitivity.measure,
      units: describeUnits(input, choice, isTimed),
      tensors: describeTensors(input, choice),
      rounds,
      chosen,
      isWithin: true,
      samples: { sensitivity: samples, models: reference.runs.length },
      costs: costs ?? null,
    },
  }));
}

/** Without floats whose weights are floats, too: all of them together are the float model, which needs no plan. */
function storingWeights(estimates: Estimates): Estimates {
  const { input } = estimates;
  const units = input.choices.units.map(withoutFloatWeights);
  return { ...estimates, input: { ...input, choices: { ...input.choices, units } } };
}

/** Whether anything may be more than one thing: found before the long measurements. */
function hasChoices({ variant: { target }, calibrated: { statistics } }: PlanStart): boolean {
  const { units, tensors } = choicesOf(placementFor(statistics, target), target);
  return [...units, ...tensors.values()].some(({ length }) => length > 1);
}

function nothingToChoose(target: string): PlimsollError {
  return new PlimsollError("target", {
    action: `drawing the front of plans for target ${target}`,
    wanted: "something to choose: floats, or several numbers of bits",
    found: "one choice for every layer that is better than all others, everything on integers",
    remedy: "Name a target with `options`, such as onnxruntime-web or imx500, and leave " +
      "out wishes that layers compute with dynamic activations, or with weights alone in codes",
  });
}
