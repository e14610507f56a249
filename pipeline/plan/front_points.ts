/**
 * Which points of a front are worth a model: a few, spread evenly over what can be gained and lost.
 *
 * @module
 */
import { decibels } from "../../core/portable_math.ts";
import { estimate, type Estimates } from "./estimates.ts";
import { goalProblem } from "./goal.ts";
import type { PlanFigures } from "./plan.ts";
import type { PlanChoice } from "./plan_problem.ts";
import { paretoFront } from "./solver/solve.ts";

/** What a front lies along: time, or bits of weights where nobody knows times. */
export type Across = "latency" | "bits";

/** What is wanted of a front. */
export interface FrontPoints {
  readonly across: Across;
  /** Most of them, from 2. */
  readonly points: number;
  /** Most that a point may lose, where any point loses less. */
  readonly mostLoss?: number;
}

/** Plans that a few are taken from. */
const DENSE = 24;

/** Choices of the front from the least time or bits to the least loss, evenly spread. */
export function frontChoices(
  estimates: Estimates,
  { across, points, mostLoss }: FrontPoints,
): PlanChoice[] {
  const dense = (loss?: number): PlanChoice[] => {
    const goal = { least: "loss", text: "", ...(loss === undefined ? {} : { loss }) } as const;
    const { problem, read } = goalProblem(estimates, goal);
    const dimension = problem.dimensions.indexOf(across === "latency" ? "time" : "bits");
    const front = paretoFront(problem, dimension, { points: Math.max(DENSE, points) });
    return "infeasible" in front ? [] : front.map(({ choice }) => read(choice));
  };
  const within = mostLoss === undefined ? [] : dense(mostLoss);
  const all = within.length > 0 ? within : dense();
  const figures = all.map((choice) => estimate(estimates, choice));
  return spread(figures, across, points).map((i) => all[i]);
}

/**
 * Numbers of at most so many points that divide the way along a front into equal parts, both ends among them. The way is
 * measured in decibels of loss and in time or bits, each as a part of what lies between the ends.
 */
export function spread(
  front: readonly PlanFigures[],
  across: Across,
  count: number,
): number[] {
  if (front.length <= count) return front.map((_, i) => i);
  const least = Math.min(...front.map(({ loss }) => loss ?? Infinity).filter((loss) => loss > 0));
  const x = parts(front.map((figures) => figures[across] ?? 0));
  // What loses nothing is as far from the next as a tenth of its loss.
  const y = parts(
    front.map(({ loss }) => loss === null ? 0 : decibels(loss === 0 ? least / 10 : loss)),
  );
  const way = [0];
  for (let i = 1; i < front.length; i++) {
    way.push(way[i - 1] + Math.hypot(x[i] - x[i - 1], y[i] - y[i - 1]));
  }
  const chosen = new Set<number>();
  for (let k = 0; k < count; k++) {
    const wanted = way.at(-1)! * k / (count - 1);
    const distance = (i: number) => Math.abs(way[i] - wanted);
    chosen.add(way.reduce((best, _, i) => distance(i) < distance(best) ? i : best, 0));
  }
  return [...chosen].sort((a, b) => a - b);
}

/** Values as parts of their range, 0 to 1. */
function parts(values: readonly number[]): number[] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return values.map((value) => high > low ? (value - low) / (high - low) : 0);
}
