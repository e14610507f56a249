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
import { decibels } from "../../core/portable_math.ts";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { Model } from "../../onnx/file/model.ts";
import { emitModel } from "../../tpc/emission/emit.ts";
import { overridesFor } from "../../tpc/placement/overrides.ts";
import type { Placement } from "../../tpc/placement/types.ts";
import type { Recipe } from "../../tpc/recipe/recipe.ts";
import { addOverrides } from "../../tpc/targets/read_target.ts";
import type { Override, Target } from "../../tpc/targets/target.ts";
import { measureLatency } from "../evaluate/latency.ts";
import { createSession } from "../inference/default_runtime.ts";
import { SessionStack } from "../inference/session_stack.ts";
import { measureNamed } from "../passes/output_measure.ts";
import { measureSensitivity } from "../passes/sensitivity.ts";
import { type Choices, choicesOf, type UnitChoice } from "../plan/choices.ts";
import type { Plan, PlanFigures, PlannedUnit, PlanRound, PlanWish } from "../plan/plan.ts";
import {
  type Dimension,
  namedTotals,
  overridesOf,
  type PlanChoice,
  type PlanInput,
  planProblem,
  type Spent,
} from "../plan/plan_problem.ts";
import { lossesOfSensitivity, type Sensitivity } from "../plan/sensitivity_file.ts";
import { solvePlan, totalsOf } from "../plan/solver/solve.ts";
import type { Times } from "../plan/unit_times.ts";
import { elementsIn, workOfUnits } from "../plan/unit_work.ts";
import type { CostsFile } from "../plan/costs_file.ts";
import { ALL_INTEGER, profileCosts } from "../profile/profile_costs.ts";
import { decide } from "../search/decide.ts";
import { placementFor } from "../search/placement.ts";
import type { Reference } from "../verdict/verdict.ts";
import { serialiseFor } from "./float_model.ts";
import type { Calibrated } from "./make_variant.ts";
import type { Planned } from "./plan_passes.ts";
import type { RunOptions } from "./run.ts";

/** Samples that every option of every quantizer runs. */
const SENSITIVITY_SAMPLES = 8;
/** Plans that are made and measured. */
const MOST_ROUNDS = 3;
/** Latencies of one machine differ by so much from turn to turn. */
const LATENCY_SLACK = 1.02;

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

/** A model that was made. */
interface Made extends PlanRound {
  readonly overrides: readonly Override[];
  readonly choice: PlanChoice;
}

/** How far estimates were off: measured / predicted. */
interface Corrections {
  readonly loss: number;
  readonly latency: number;
}

/**
 * Plans a variant whose statistics are there.
 *
 * @returns The variant with the overrides of the best plan behind its own.
 * @throws {PlimsollError} kind `target` when nothing that the target allows keeps the limits, before anything is made.
 */
export async function planVariant(start: PlanStart, options: RunOptions): Promise<PlannedVariant> {
  const { variant, wish, calibrated, reference } = start;
  const { runtime, signal, onEvent } = options;
  const { statistics, kept } = calibrated;
  const { target, float } = variant;
  const onProgress = (
    progress: Parameters<NonNullable<typeof onEvent>>[0] & { kind: "progress" },
  ) => void onEvent?.(progress);
  const placement = asUsersWant(placementFor(statistics, target), target);
  const choices = choicesOf(placement, target);
  const isTimed = target.options?.float === true;
  const feeds = reference.runs[0].feeds;
  const costs = wish.costs ?? (isTimed
    ? await profileCosts(
      { model: float.prepared, sha256: float.sha256, statistics, target, feeds },
      { runtime, signal },
    )
    : undefined);
  const samples = kept.slice(0, SENSITIVITY_SAMPLES);
  const sensitivity = await measureSensitivity(
    { model: float.prepared, statistics, target, choices, samples },
    {
      measure: wish.measure,
      seconds: wish.seconds,
      known: wish.sensitivity,
      runtime,
      signal,
      onProgress: (progress) => onProgress({ kind: "progress", progress }),
    },
  );
  const elements = elementsIn(statistics, placement);
  const input: PlanInput = {
    outline: statistics.outline,
    placement,
    choices,
    work: workOfUnits(statistics.outline, placement.units, elements),
    times: timesOf(placement, costs),
    elements,
    losses: lossesOfSensitivity(sensitivity),
  };
  const usual = choiceOf(input, (options) => options[0], (bits) => bits[0]);
  const measure = await measuring(start, costs, options);
  const base = await measure("everything on integers", usual, []);
  const candidates: Made[] = [base];
  if (isTimed) {
    const isFloat = ({ kind }: UnitChoice) => kind === "stored" || kind === "float";
    const stored = choiceOf(
      input,
      (options) => options.find(isFloat) ?? options[0],
      (bits) => bits.includes(0) ? 0 : bits[0],
    );
    const overrides = overridesOf(input, stored, () => "planned: floats with weights in codes");
    // Tensors between units that can't be float keep their codes: such a choice is none.
    candidates.push(await measure("floats with weights in codes", stored, overrides));
  }
  const overhead = base.measured.size - spentOn(input, usual).size;
  const rest = costs === undefined
    ? 0
    : costs.float - costs.units.reduce((sum, unit) => sum + unit.float, 0);
  const figures = (spent: Spent, corrections: Corrections): PlanFigures => ({
    loss: finite(spent.loss * corrections.loss),
    latency: costs === undefined ? null : (rest + spent.time) / costs.float * corrections.latency,
    size: spent.size + overhead,
  });
  const goal = goalOf(wish, base.measured, costs !== undefined);
  let corrections = firstCorrections(base, figures(spentOn(input, usual), NONE), costs);
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    signal?.throwIfAborted();
    const solved = solveFor(input, goal, { corrections, rest, overhead, costs });
    if (solved === undefined) {
      if (round > 1) break;
      throw outOfReach(variant, goal);
    }
    const overrides = overridesOf(input, solved, (unit) => reasonOf(input, solved, unit));
    const key = JSON.stringify(overrides);
    if (candidates.some((made) => JSON.stringify(made.overrides) === key)) break;
    const predicted = figures(spentOn(input, solved), corrections);
    const made = await measure(`plan ${round}`, solved, overrides, predicted);
    candidates.push(made);
    if (isWithin(made.measured, goal) && isClose(made)) break;
    corrections = corrected(corrections, made);
  }
  const best = bestOf(candidates, goal);
  const chosen = candidates[best];
  return {
    sensitivity,
    variant: {
      ...variant,
      recipe: {
        ...variant.recipe,
        overrides: [...variant.recipe.overrides ?? [], ...chosen.overrides],
      },
      target: addOverrides(target, chosen.overrides),
    },
    plan: {
      schemaVersion: 1,
      goal: goal.text,
      measure: sensitivity.measure,
      units: describeUnits(input, chosen.choice, costs !== undefined),
      tensors: describeTensors(input, chosen.choice),
      rounds: candidates.map(({ name, predicted, measured }) => ({ name, predicted, measured })),
      chosen: best,
      isWithin: isWithin(chosen.measured, goal),
      samples: { sensitivity: samples.length, models: reference.runs.length },
      costs: costs ?? null,
    },
  };
}

const NONE: Corrections = { loss: 1, latency: 1 };

/** A recipe whose calibration watches everything that a plan may want. */
export function withEverything(recipe: Recipe): Recipe {
  return { ...recipe, overrides: [ALL_INTEGER, ...recipe.overrides ?? []] };
}

/** Units that the user pinned stay so; the others were only pinned to be looked at. */
function asUsersWant(placement: Placement, { overrides = [] }: Target): Placement {
  const own = {
    overrides: overrides.filter(({ match, compute }) =>
      compute === "integer" && match.node !== ALL_INTEGER.match.node
    ),
  };
  const units = placement.units.map(({ isPinned: _, ...unit }) => {
    const isOwn = unit.nodes.some((node) => overridesFor(own, [{ node }]).length > 0);
    return isOwn ? { ...unit, isPinned: true as const } : unit;
  });
  return { ...placement, units };
}

/** Times of the units as they were measured. */
function timesOf(placement: Placement, costs: CostsFile | undefined): Times {
  const known = new Map(costs?.units.map((unit) => [unit.node, unit]));
  return {
    quantize: costs?.quantize ?? 0,
    dequantize: costs?.dequantize ?? 0,
    units: placement.units.map(({ node, kind }) => {
      const unit = kind === "integer" ? known.get(node) : undefined;
      return { float: unit?.float ?? 0, integer: unit?.integer ?? 0 };
    }),
  };
}

function choiceOf(
  { choices }: { readonly choices: Choices },
  unit: (options: readonly UnitChoice[]) => UnitChoice,
  tensor: (bits: readonly number[]) => number,
): PlanChoice {
  return {
    units: choices.units.map(unit),
    tensors: new Map([...choices.tensors].map(([name, bits]) => [name, tensor(bits)])),
  };
}

/** What a choice spends by the estimates. */
function spentOn(input: PlanInput, choice: PlanChoice): Spent {
  const { problem } = planProblem(input, { least: "loss" });
  const { choices } = input;
  const indices = [
    ...choices.units.map((options, i) =>
      options.findIndex((option) => JSON.stringify(option) === JSON.stringify(choice.units[i]))
    ),
    ...[...choices.tensors].map(([tensor, bits]) => bits.indexOf(choice.tensors.get(tensor)!)),
  ];
  return namedTotals(totalsOf(problem, indices));
}

/** Makes models and measures them beside the float one. */
async function measuring(
  { variant, wish, calibrated, reference }: PlanStart,
  costs: CostsFile | undefined,
  { runtime, signal, onEvent }: RunOptions,
) {
  const { float, target, recipe } = variant;
  const { statistics, sha256 } = calibrated;
  const measureOf = measureNamed(wish.measure ?? "squared");
  // Those that losses were measured on say little of others.
  const isSplit = reference.runs.length > SENSITIVITY_SAMPLES;
  const from = isSplit ? SENSITIVITY_SAMPLES : 0;
  const runs = reference.runs.slice(from);
  const outputs = reference.outputs.slice(from);
  return async (
    name: string,
    choice: PlanChoice,
    overrides: readonly Override[],
    predicted: PlanFigures | null = null,
  ): Promise<Made> => {
    const manifest = await decide({
      statistics,
      statisticsSha256: sha256,
      target: addOverrides(target, overrides),
      model: float.prepared,
      recipe,
    });
    const emitted = emitModel(float.prepared, manifest);
    const { file, weights } = serialiseFor(float, emitted);
    const size = weights.reduce((sum, { length }) => sum + length, file.length);
    await using stack = new SessionStack();
    const open = async (model: Model, name: string) =>
      stack.use(await createSession(model, { name, runtime }));
    const session = await open(emitted, name);
    const found = [];
    for (const { feeds } of runs) {
      signal?.throwIfAborted();
      found.push(await session.run(feeds, session.outputs));
    }
    const loss = finite(measureOf(outputs, found));
    let latency: number | null = null;
    if (costs !== undefined) {
      const own = await open(float.original, "the float model");
      const [one, other] = await measureLatency([own, session], runs[0].feeds, signal);
      latency = other / one;
    }
    const measured = { loss, latency, size };
    await onEvent?.({ kind: "note", text: `${name}: ${describeFigures(measured)}` });
    return { name, choice, overrides, predicted, measured };
  };
}

/** A goal in numbers. */
interface Goal {
  readonly least: Dimension;
  readonly text: string;
  readonly loss?: number;
  readonly latency?: number;
  readonly size?: number;
  readonly bits?: number;
}

/** What the wish comes to, given what everything on integers costs. */
function goalOf(wish: PlanWish, base: PlanFigures, isTimed: boolean): Goal {
  const { maxLoss, maxLatency, maxSize, bitsBudget } = wish;
  if (maxLatency !== undefined && !isTimed) {
    throw new PlimsollError("usage", {
      action: "planning",
      wanted: "a target whose units may be float, or costs of its kernels",
      found: option("maxLatency", maxLatency),
      remedy: `Give ${option("costs")} or another target, or leave it out`,
    });
  }
  const usual = base.loss ?? Infinity;
  const isFree = maxLatency === undefined && maxSize === undefined && bitsBudget === undefined;
  const loss = maxLoss === undefined
    ? isFree && isTimed ? usual : undefined
    : "part" in maxLoss
    ? maxLoss.part
    : usual * 10 ** (maxLoss.decibels / 10);
  const least = loss === undefined ? "loss" : isTimed ? "time" : "size";
  const limits = [
    ...(loss === undefined ? [] : [`losing at most ${lossText(loss)}`]),
    ...(maxLatency === undefined ? [] : [`taking at most ${maxLatency} of the float model's time`]),
    ...(maxSize === undefined ? [] : [`of at most ${maxSize} bytes`]),
    ...(bitsBudget === undefined ? [] : [`with at most ${bitsBudget} bits a weight on average`]),
  ];
  const what = { loss: "closest to float", time: "fastest", size: "smallest", bits: "" }[least];
  return {
    least,
    text: `the ${what} model${limits.length > 0 ? " " : ""}${limits.join(", ")}`,
    ...(loss === undefined ? {} : { loss }),
    ...(maxLatency === undefined ? {} : { latency: maxLatency }),
    ...(maxSize === undefined ? {} : { size: maxSize }),
    ...(bitsBudget === undefined ? {} : { bits: bitsBudget }),
  };
}

/** The best choice by the estimates; undefined where nothing keeps the limits. */
function solveFor(
  input: PlanInput,
  { least, loss, latency, size, bits }: Goal,
  { corrections, rest, overhead, costs }: {
    readonly corrections: Corrections;
    readonly rest: number;
    readonly overhead: number;
    readonly costs: CostsFile | undefined;
  },
): PlanChoice | undefined {
  const weights = input.work.reduce(
    (sum, work, i) => sum + (input.placement.units[i].kind === "integer" ? work.weights : 0),
    0,
  );
  const others = input.work.reduce((sum, work) => sum + work.weights, 0) - weights;
  const most: Partial<Record<Dimension, number>> = {
    ...(loss === undefined || !Number.isFinite(loss) ? {} : { loss: loss / corrections.loss }),
    ...(latency === undefined || costs === undefined
      ? {}
      : { time: latency / corrections.latency * costs.float - rest }),
    ...(size === undefined ? {} : { size: size - overhead }),
    // Weights that can't be quantized count as they are.
    ...(bits === undefined ? {} : { bits: bits * weights + others * 32 }),
  };
  const { problem, read } = planProblem(input, { least, most });
  const solution = solvePlan(problem);
  return "infeasible" in solution ? undefined : read(solution.choice);
}

/** What everything on integers tells of the estimates: its losses together, and its time. */
function firstCorrections(
  { measured }: Made,
  predicted: PlanFigures,
  costs: CostsFile | undefined,
): Corrections {
  const ratio = (a: number | null, b: number | null) =>
    a === null || b === null || !(a > 0) || !(b > 0) ? 1 : a / b;
  return {
    loss: ratio(measured.loss, predicted.loss),
    latency: costs === undefined ? 1 : ratio(measured.latency, predicted.latency),
  };
}

/** Estimates moved by what a made model was off. */
function corrected(corrections: Corrections, { predicted, measured }: Made): Corrections {
  const next = firstCorrections({ measured } as Made, predicted!, undefined);
  const latency = predicted!.latency === null || measured.latency === null
    ? 1
    : measured.latency / predicted!.latency;
  return { loss: corrections.loss * next.loss, latency: corrections.latency * latency };
}

/** Whether another round would tell nothing new: loss within 0.5 dB, latency within 5 %. */
function isClose({ predicted, measured }: Made): boolean {
  const near = (a: number | null, b: number | null, factor: number) =>
    a === null || b === null || a <= b * factor && b <= a * factor;
  return near(predicted!.loss, measured.loss, 10 ** 0.05) &&
    near(predicted!.latency, measured.latency, 1.05);
}

function isWithin(
  { loss, latency, size }: PlanFigures,
  goal: Goal,
): boolean {
  return (goal.loss === undefined || (loss ?? Infinity) <= goal.loss * (1 + 1e-9)) &&
    (goal.latency === undefined || (latency ?? Infinity) <= goal.latency * LATENCY_SLACK) &&
    (goal.size === undefined || size <= goal.size);
}

/** The best within the limits; where none is, the one that exceeds them by the least. */
function bestOf(made: readonly Made[], goal: Goal): number {
  const value = ({ loss, latency, size }: PlanFigures) =>
    goal.least === "loss" ? loss ?? Infinity : goal.least === "time" ? latency ?? Infinity : size;
  const excess = ({ loss, latency, size }: PlanFigures) =>
    Math.max(
      goal.loss === undefined ? 0 : (loss ?? Infinity) / goal.loss,
      goal.latency === undefined ? 0 : (latency ?? Infinity) / goal.latency,
      goal.size === undefined ? 0 : size / goal.size,
    );
  // Bits aren't measured: what wasn't planned for them doesn't count.
  const allowed = made.map((entry, i) => [entry, i] as const)
    .filter(([{ predicted }]) => goal.bits === undefined || predicted !== null);
  const within = allowed.filter(([{ measured }]) => isWithin(measured, goal));
  const [list, rank] = within.length > 0 ? [within, value] : [allowed, excess];
  return list.reduce((best, entry) =>
    rank(entry[0].measured) < rank(best[0].measured) ? entry : best
  )[1];
}

function describeUnits(input: PlanInput, choice: PlanChoice, isTimed: boolean): PlannedUnit[] {
  const { placement, times, work, losses } = input;
  const layers = new Set(placement.weights.map(({ node }) => node));
  return placement.units.flatMap((unit, i): PlannedUnit[] => {
    if (unit.kind !== "integer") return [];
    const { kind } = choice.units[i];
    const bits = choice.units[i].kind === "float" ? null : choice.units[i].weightBits ?? null;
    const layer = unit.nodes.find((node) => layers.has(node));
    const { float, integer } = times.units[i];
    return [{
      node: unit.node,
      op: unit.op,
      choice: kind,
      weightBits: bits,
      loss: bits === null || layer === undefined ? 0 : finite(losses!.weights(layer, bits)),
      time: isTimed ? kind === "integer" ? integer : float : null,
      otherTime: isTimed ? kind === "integer" ? float : integer : null,
      size: work[i].weights * (bits === null ? 4 : bits / 8),
      reason: reasonOf(input, choice, i),
    }];
  });
}

function describeTensors({ losses }: PlanInput, { tensors }: PlanChoice): Plan["tensors"] {
  return [...tensors].filter(([, bits]) => bits > 0)
    .map(([tensor, bits]) => ({ tensor, bits, loss: finite(losses!.activation(tensor, bits)) }))
    .sort((a, b) => (b.loss ?? Infinity) - (a.loss ?? Infinity));
}

/** Why a unit is what it is. */
function reasonOf(
  { times, placement, losses }: PlanInput,
  { units }: PlanChoice,
  unit: number,
): string {
  const { float, integer } = times.units[unit];
  const choice = units[unit];
  const layers = new Set(placement.weights.map(({ node }) => node));
  const layer = placement.units[unit].nodes.find((node) => layers.has(node));
  const bits = choice.kind === "float" ? undefined : choice.weightBits;
  const parts = [
    choice.kind === "integer"
      ? bits === undefined ? "planned: codes" : `planned: codes, weights of ${bits} bits`
      : choice.kind === "stored"
      ? `planned: floats, weights stored in ${bits} bits`
      : "planned: floats",
    ...(float > 0 || integer > 0
      ? [`${micro(integer)} with codes, ${micro(float)} with floats`]
      : []),
    ...(bits === undefined || layer === undefined
      ? []
      : [`its weights alone cost the outputs ${lossText(losses!.weights(layer, bits))}`]),
  ];
  return parts.join("; ");
}

function micro(nanoseconds: number): string {
  return `${Number((nanoseconds / 1000).toPrecision(3))} µs`;
}

/** A loss in decibels below the signal. */
export function lossText(loss: number): string {
  return loss === 0 ? "nothing" : `${(-decibels(loss)).toFixed(1)} dB`;
}

function describeFigures({ loss, latency, size }: PlanFigures): string {
  return `${loss === null ? "outputs lost" : lossText(loss)}` +
    `${latency === null ? "" : `, ${latency.toFixed(2)} of float's time`}` +
    `, ${(size / 1e6).toFixed(2)} MB`;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function outOfReach({ target }: Planned, { text }: Goal): PlimsollError {
  return new PlimsollError("target", {
    action: `planning for target ${target.name}`,
    wanted: text,
    found: "no choice that the target allows and that keeps these limits by the estimates",
    remedy: "Allow more, or extend the target's `options` in a file of your own",
  });
}
