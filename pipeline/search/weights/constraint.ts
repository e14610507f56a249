/**
 * What the three constraints of weights share.
 *
 * @module
 */
import { power as raise } from "../../../core/portable_math.ts";
import type { Levels } from "../../../core/grid.ts";
import { refine, searchSteps, type StepRange } from "./step_search.ts";
import type { WeightErrors } from "./weight_errors.ts";

/** What is searched. */
export interface WeightSearch {
  readonly errors: WeightErrors;
  /** 2 to 8. */
  readonly bits: number;
  /** Least step that is allowed, above 0; a float32. */
  readonly floor: number;
  /** Whether a weight may be clipped by more than half a step. */
  readonly clip: boolean;
  /** Elements that may be looked at, see {@linkcode WeightErrors.cost}. */
  readonly work: number;
}

/** How grids of a constraint are chosen; one implementation a file. */
export interface WeightConstraint {
  /** The smallest grid that clips no weight by more than half a step. */
  maxRange(search: WeightSearch): Levels;
  /** The grid of least error. */
  search(search: WeightSearch): Levels;
}

/**
 * Below this part of the step that clips nothing no search goes; only layers of many weights, or with
 * an error that hardly counts outliers, come near it.
 */
const LEAST_RATIO = 2 ** -10;
/** The same where the errors of weights count differently. */
const LEAST_UNEVEN_RATIO = 1 / 8;

/**
 * The range of steps in which the least error lies, for grids whose step can be anything.
 *
 * Above: from twice the step `start` that clips nothing, half of it is a finer grid that clips nothing
 * either. Below: a step s with `reach` steps from the first level to the last leaves `span` − s·reach of the
 * extreme weights outside, shared by at most two of them, which costs 2·(rest / 2)^p at least; it can't be
 * better than `start` once that passes the error there.
 */
export function stepRange(
  { errors, floor, clip, work, bits }: WeightSearch,
  { start, span, reach, ends }: {
    /** Grid that clips nothing. */
    readonly start: Levels;
    readonly span: number;
    readonly reach: number;
    /** Number of ends that can stick out independently. */
    readonly ends: 1 | 2;
  },
): Omit<StepRange, "score"> {
  const { power, count, cost, isEven } = errors;
  const rest = ends * raise(errors.estimate(start, Infinity) / ends, 1 / power);
  const least = clip
    ? Math.max(
      // An extreme weight that hardly counts may be clipped by much.
      isEven ? (span - rest) / reach * (1 - 1e-3) : start.step * LEAST_UNEVEN_RATIO,
      start.step * LEAST_RATIO,
    )
    : start.step;
  const limit = 2 ** (bits - 1);
  const from = Math.max(float32AtLeast(Math.min(least, start.step)), floor);
  return {
    from,
    to: Math.max(Math.fround(2 * start.step), Math.fround(2 * floor)),
    // 32 steps while the largest code moves by one.
    spacing: Math.min(1 / (32 * limit), 1e-3),
    evaluations: Math.floor(work / cost),
    // Errors of one step and of the next are independent sums of n terms: they scatter by 1/√n.
    tolerance: (1 + 12 / Math.sqrt(count)) ** Math.max(1, power / 2),
  };
}

/**
 * The best grids of all steps of a range.
 *
 * @param high Greatest code on either side of 0, where the codes of a weight depend on nothing but the step; absent where
 * they don't: then steps are tried one by one.
 */
export function bestGrids(
  { power, sweep, count }: WeightErrors,
  range: StepRange,
  high: number | undefined,
): readonly Levels[] {
  const { from, to, score } = range;
  if (sweep === undefined || high === undefined) return searchSteps(range).slice(0, SHORTLIST);
  // The fewer the weights, the more minima are nearly as good, and the less a look at each costs.
  const looks = Math.max(SHORTLIST, Math.min(MOST_LOOKS, Math.ceil(LOOKED_AT / count)));
  return sweep({ from, to, high }, looks).map(({ step, below, above }) => {
    const start = score(step, Infinity);
    // Squared errors are at their minimum already.
    return power === 2 || below >= above
      ? start
      : refine(start, score(below, Infinity), score(above, Infinity), score);
  });
}

/** The candidate of least error over the elements. */
export function exactBest(errors: WeightErrors, candidates: readonly Levels[]): Levels {
  let best = { grid: candidates[0], error: Infinity };
  for (const grid of candidates) {
    const error = errors.exact(grid);
    if (error < best.error) best = { grid, error };
  }
  const { step, low, high } = best.grid;
  return { step, low, high };
}

/** Candidates of a search that are compared by their exact errors. */
const SHORTLIST = 3;
/** The same for few weights: at most so many, that look at so many weights together. */
const MOST_LOOKS = 16;
const LOOKED_AT = 1024;

/** The least float32 that is at least `x`, so that rounding the step never makes it clip. */
export function float32AtLeast(x: number): number {
  const near = Math.fround(x);
  if (near >= x) return near;
  const bits = new Uint32Array(Float32Array.of(near).buffer);
  bits[0]++;
  return new Float32Array(bits.buffer)[0];
}
