/**
 * What is asked of a plan, in numbers: the least of one thing, with limits on others.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { decibels } from "../../core/portable_math.ts";
import { averageBits, type Estimates } from "./estimates.ts";
import type { PlanFigures, PlanWish } from "./plan.ts";
import { type Dimension, type PlanChoice, planProblem } from "./plan_problem.ts";
import { solvePlan } from "./solver/solve.ts";

/** Latencies of one machine differ by so much from turn to turn. */
const LATENCY_SLACK = 1.02;

/** How much larger than everything on integers a file may be when nobody says. */
const SIZE_SLACK = 1.05;

/** A goal. */
export interface Goal {
  /** What is minimised. */
  readonly least: "loss" | "time" | "size";
  /** The same in words. */
  readonly text: string;
  /** Most of the outputs' loss. */
  readonly loss?: number;
  /** Most time, as part of the float model's. */
  readonly latency?: number;
  /** Most bytes of the file. */
  readonly size?: number;
  /** Most bits of a weight on average. */
  readonly bits?: number;
}

/**
 * What a wish comes to.
 *
 * @param usual What everything on integers costs: without a limit of size, files are hardly larger than its.
 * @param isTimed Whether times are known.
 * @throws {PlimsollError} kind `usage` for a limit of time where nobody knows times.
 */
export function goalOf(
  { maxLoss, maxLatency: latency, maxSize, bitsBudget: bits }: PlanWish,
  usual: Pick<PlanFigures, "loss" | "size">,
  isTimed: boolean,
): Goal {
  if (latency !== undefined && !isTimed) {
    throw new PlimsollError("usage", {
      action: "planning",
      wanted: "a target whose units may be float, or costs of its kernels",
      found: option("maxLatency", latency),
      remedy: `Give ${option("costs")} or another target, or leave it out`,
    });
  }
  const isFree = latency === undefined && maxSize === undefined && bits === undefined;
  const size = maxSize ?? Math.ceil(usual.size * SIZE_SLACK);
  const loss = maxLoss === undefined
    ? isFree && isTimed ? usual.loss ?? undefined : undefined
    : "part" in maxLoss
    ? maxLoss.part
    : (usual.loss ?? Infinity) * 10 ** (maxLoss.decibels / 10);
  const least = loss === undefined ? "loss" : isTimed ? "time" : "size";
  const limits = [
    ...(loss === undefined ? [] : [`losing at most ${lossText(loss)}`]),
    ...(latency === undefined ? [] : [`taking at most ${latency} of the float model's time`]),
    `of at most ${size} bytes`,
    ...(bits === undefined ? [] : [`with at most ${bits} bits a weight on average`]),
  ];
  const what = {
    loss: "the model closest to float",
    time: "the fastest model",
    size: "the smallest model",
  };
  return {
    least,
    text: [what[least], ...limits].join(", "),
    ...(loss === undefined ? {} : { loss }),
    ...(latency === undefined ? {} : { latency }),
    size,
    ...(bits === undefined ? {} : { bits }),
  };
}

/** The best choice by the estimates; undefined where nothing keeps the limits. */
export function solveGoal(estimates: Estimates, goal: Goal): PlanChoice | undefined {
  const { problem, read } = goalProblem(estimates, goal);
  const solution = solvePlan(problem);
  return "infeasible" in solution ? undefined : read(solution.choice);
}

/** What is said where nothing keeps the limits of a goal. */
export function outOfReach(target: string, { text }: Goal): PlimsollError {
  return new PlimsollError("target", {
    action: `planning for target ${target}`,
    wanted: text,
    found: "no choice that the target allows and that keeps these limits by the estimates",
    remedy: "Allow more, or extend the target's `options` in a file of your own",
  });
}

/** The problem whose solution a goal is. */
export function goalProblem(
  { input, costs, rest, overhead, corrections }: Estimates,
  { least, loss, latency, size, bits }: Goal,
) {
  const { work, placement } = input;
  const weightsOf = (isWanted: (kind: string) => boolean) =>
    work.reduce(
      (sum, { weights }, i) => sum + (isWanted(placement.units[i].kind) ? weights : 0),
      0,
    );
  const quantizable = weightsOf((kind) => kind === "integer");
  const others = weightsOf((kind) => kind !== "integer");
  const most: Partial<Record<Dimension, number>> = {
    ...(loss === undefined || !Number.isFinite(loss) ? {} : { loss: loss / corrections.loss }),
    ...(latency === undefined || costs === undefined
      ? {}
      : { time: latency / corrections.latency * costs.float - rest }),
    ...(size === undefined ? {} : { size: size - overhead }),
    // Weights that can't be quantized count as they are.
    ...(bits === undefined ? {} : { bits: bits * quantizable + others * 32 }),
  };
  return planProblem(input, { least, most });
}

/** Whether a choice keeps a limit of bits, which no made model tells. */
export function keepsBits(estimates: Estimates, choice: PlanChoice, most: number): boolean {
  return averageBits(estimates.input, choice) <= most * (1 + 1e-9);
}

/** Whether a made model keeps the limits; bits can't be measured. */
export function isWithin({ loss, latency, size }: PlanFigures, goal: Goal): boolean {
  return (goal.loss === undefined || (loss ?? Infinity) <= goal.loss * (1 + 1e-9)) &&
    (goal.latency === undefined || (latency ?? Infinity) <= goal.latency * LATENCY_SLACK) &&
    (goal.size === undefined || size <= goal.size);
}

/** The best of some made models: within the limits, or exceeding them by the least. Its number. */
export function bestOf(made: readonly PlanFigures[], goal: Goal): number {
  const value = ({ loss, latency, size }: PlanFigures) =>
    goal.least === "loss" ? loss ?? Infinity : goal.least === "time" ? latency ?? Infinity : size;
  const excess = ({ loss, latency, size }: PlanFigures) =>
    Math.max(
      goal.loss === undefined ? 0 : (loss ?? Infinity) / goal.loss,
      goal.latency === undefined ? 0 : (latency ?? Infinity) / goal.latency,
      goal.size === undefined ? 0 : size / goal.size,
    );
  const all = made.map((figures, i) => [figures, i] as const);
  const within = all.filter(([figures]) => isWithin(figures, goal));
  const [list, rank] = within.length > 0 ? [within, value] : [all, excess];
  return list.reduce((best, entry) => rank(entry[0]) < rank(best[0]) ? entry : best)[1];
}

/** A loss in decibels below the signal. */
export function lossText(loss: number): string {
  return loss === 0 ? "nothing" : `${(-decibels(loss)).toFixed(1)} dB`;
}
