/**
 * Planning: measure what every option costs in loss and time, solve, make the model, measure it, correct the estimates
 * and solve again. What is written is the best that was measured.
 *
 *     profile ─► times ──┐
 *     sensitivity ─► losses ─► solve ─► make ─► measure ──► best within the limits
 *                          ▲                     │
 *                          └── corrected ────────┘   at most 3 rounds
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { OnProgress } from "../../core/progress.ts";
import type { Recipe } from "../../tpc/recipe/recipe.ts";
import type { Override } from "../../tpc/targets/target.ts";
import { defaultRuntime } from "../inference/default_runtime.ts";
import { measureSensitivity } from "../passes/sensitivity.ts";
import { choicesOf } from "../plan/choices.ts";
import type { CostsFile } from "../plan/costs_file.ts";
import { describeTensors, describeUnits, reasonsOf } from "../plan/describe_plan.ts";
import {
  ALL_INTEGER,
  asUsersWant,
  correct,
  correctByUsual,
  estimate,
  type Estimates,
  firstEstimates,
  storedChoice,
  usualChoice,
} from "../plan/estimates.ts";
import { bestOf, goalOf, isWithin, keepsBits, outOfReach, solveGoal } from "../plan/goal.ts";
import type { Plan, PlanFigures, PlanRound, PlanWish } from "../plan/plan.ts";
import { overridesOf, type PlanChoice } from "../plan/plan_problem.ts";
import type { Sensitivity } from "../plan/sensitivity_file.ts";
import { profileCosts } from "../profile/profile_costs.ts";
import { placementFor } from "../search/placement.ts";
import type { Reference } from "../verdict/verdict.ts";
import type { Calibrated } from "./make_variant.ts";
import { measuring, PLANNED_SAMPLES } from "./measure_plan.ts";
import { type Planned, withOverrides } from "./plan_passes.ts";
import type { RunOptions } from "./run.ts";

/** Plans that are made and measured. */
const MOST_ROUNDS = 3;

/** What a plan starts from. */
export interface PlanStart {
  readonly variant: Planned;
  readonly wish: PlanWish;
  readonly calibrated: Calibrated;
  /** The float model's outputs on samples that made models are measured on. */
  readonly reference: Reference;
}

/** A planned variant, with how it came about. */
export interface PlannedVariant {
  readonly variant: Planned;
  readonly plan: Plan;
  readonly sensitivity: Sensitivity;
}

/** What plans follow from. */
export interface MeasuredParts {
  readonly costs: CostsFile | undefined;
  readonly sensitivity: Sensitivity;
  /** Before any model was made. */
  readonly estimates: Estimates;
  /** Samples that sensitivities were measured on. */
  readonly samples: number;
}

/** A model that was made. */
interface Made extends PlanRound {
  readonly overrides: readonly Override[];
  readonly choice: PlanChoice;
}

/** A recipe whose calibration watches everything that a plan may want. */
export function withEverything(recipe: Recipe): Recipe {
  return { ...recipe, overrides: [ALL_INTEGER, ...recipe.overrides ?? []] };
}

/**
 * Plans a variant whose statistics are there.
 *
 * @returns The variant with the overrides of the best plan behind its own.
 * @throws {PlimsollError} kind `target` when nothing that the target allows keeps the limits, by the estimates.
 */
export async function planVariant(start: PlanStart, options: RunOptions): Promise<PlannedVariant> {
  const { variant, wish, reference } = start;
  const { signal } = options;
  const { target } = variant;
  const begun = await measureParts(start, options);
  const { costs, sensitivity, samples } = begun;
  let { estimates } = begun;
  const { input } = estimates;
  const measure = measuring(start, costs !== undefined, options);
  const made: Made[] = [];
  const make = async (name: string, choice: PlanChoice): Promise<void> => {
    const overrides = overridesOf(input, choice, reasonsOf(input, choice));
    const predicted = estimate(estimates, choice);
    const measured = await measure(name, overrides);
    made.push({ name, choice, overrides, predicted, measured });
  };
  await make("everything on integers", usualChoice(input));
  const [base] = made;
  const told = correctByUsual(estimates, base.predicted!, base.measured);
  estimates = told.estimates;
  made[0] = { ...base, predicted: told.predicted };
  if (target.options?.float) await make("floats with weights in codes", storedChoice(input));
  const goal = goalOf(wish, base.measured, costs !== undefined);
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    signal?.throwIfAborted();
    const solved = solveGoal(estimates, goal);
    if (solved === undefined) break;
    const key = keyOf(solved);
    if (made.some(({ choice }) => keyOf(choice) === key)) break;
    await make(`plan ${round}`, solved);
    const { predicted, measured } = made.at(-1)!;
    if (isWithin(measured, goal) && isClose(predicted!, measured)) break;
    estimates = correct(estimates, predicted!, measured);
  }
  // What everything on integers has of bits may be more than is allowed.
  const allowed = made.filter(({ choice }) =>
    goal.bits === undefined || keepsBits(estimates, choice, goal.bits)
  );
  if (allowed.length === 0) throw outOfReach(target.name, goal);
  const chosen = allowed[bestOf(allowed.map(({ measured }) => measured), goal)];
  return {
    sensitivity,
    variant: withOverrides(variant, chosen.overrides),
    plan: {
      schemaVersion: 1,
      goal: goal.text,
      measure: sensitivity.measure,
      units: describeUnits(input, chosen.choice, costs !== undefined),
      tensors: describeTensors(input, chosen.choice),
      rounds: made.map(({ name, predicted, measured }) => ({ name, predicted, measured })),
      chosen: made.indexOf(chosen),
      isWithin: isWithin(chosen.measured, goal),
      samples: { sensitivity: samples, models: reference.runs.length },
      costs: costs ?? null,
    },
  };
}

/** What the parts of a model cost, measured, and what choices are expected to cost by that. */
export async function measureParts(start: PlanStart, options: RunOptions): Promise<MeasuredParts> {
  const { variant, wish, calibrated: { statistics, kept } } = start;
  const { signal } = options;
  const { target } = variant;
  const placement = asUsersWant(placementFor(statistics, target), target);
  const samples = kept.slice(0, PLANNED_SAMPLES);
  const costs = wish.costs ?? await costsHere(start, options);
  const sensitivity = await measureSensitivity(
    {
      model: variant.float.prepared,
      statistics,
      target,
      choices: choicesOf(placement, target),
      samples,
    },
    {
      measure: wish.measure,
      seconds: wish.seconds,
      known: wish.sensitivity,
      runtime: options.runtime,
      signal,
      onProgress: reporting(options),
    },
  );
  await options.onEvent?.({ kind: "sensitivity", sensitivity });
  const estimates = firstEstimates({ statistics, placement, target, sensitivity, costs });
  return { costs, sensitivity, estimates, samples: samples.length };
}

/** What kernels take here; undefined where the target's have nothing to do with this runtime, or nobody can tell. */
async function costsHere(
  { variant: { float, target }, wish, calibrated: { statistics }, reference }: PlanStart,
  { runtime = defaultRuntime(), signal, onEvent }: RunOptions,
): Promise<CostsFile | undefined> {
  if (!target.options?.float) return undefined;
  if (runtime.name === "onnxruntime-node") {
    const isLimited = [wish.maxSize, wish.bitsBudget].some((limit) => limit !== undefined);
    const text = "onnxruntime-node writes its profiles into files of its own";
    if (!isLimited || wish.maxLatency !== undefined) throw noTimes(text);
    await onEvent?.({ kind: "note", text: `times aren't measured: ${text}` });
    return undefined;
  }
  const { feeds } = reference.runs[0];
  return await profileCosts(
    { model: float.prepared, sha256: float.sha256, statistics, target, feeds },
    { runtime, signal },
  );
}

function noTimes(found: string): PlimsollError {
  return new PlimsollError("usage", {
    action: "measuring what kernels take, for a plan",
    wanted: "a runtime whose profile can be read",
    found,
    remedy: `Give ${option("costs")}, or plan with onnxruntime-web`,
  });
}

function reporting({ onEvent }: RunOptions): OnProgress {
  return (progress) => void onEvent?.({ kind: "progress", progress });
}

/** Equal for the same choice. */
export function keyOf({ units, tensors }: PlanChoice): string {
  return JSON.stringify([units, [...tensors]]);
}

/** Whether another round would tell nothing new: loss within 0.5 dB, latency within 5 %. */
function isClose(predicted: PlanFigures, measured: PlanFigures): boolean {
  const near = (a: number | null, b: number | null, factor: number) =>
    a === null || b === null || a <= b * factor && b <= a * factor;
  return near(predicted.loss, measured.loss, 10 ** 0.05) &&
    near(predicted.latency, measured.latency, 1.05);
}
