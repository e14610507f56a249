/**
 * Global search of one step, when evaluating all of them closely costs too much.
 *
 * @module
 */
import { exp, ln } from "../../../core/portable_math.ts";
import type { Levels } from "../../../core/grid.ts";

/** A grid with its error. */
export interface Scored extends Levels {
  readonly error: number;
}

/** Where and how closely to look. */
export interface StepRange {
  /** Least and greatest step; float32. */
  readonly from: number;
  readonly to: number;
  /** Relative distance of steps below which nothing is missed that refinement doesn't find. */
  readonly spacing: number;
  /** About how many steps may be tried. */
  readonly evaluations: number;
  /** A step whose error is this many times the best is not worth a closer look. */
  readonly tolerance: number;
  /** The best grid of a step; the error may stop counting at `bound`. */
  readonly score: (step: number, bound: number) => Scored;
}

const MIN_EVALUATIONS = 64;
/** Local minima that are refined, at most. */
const MAX_REFINED = 16;
/** Golden sections shrink an interval to 0.618^20 = 7e-5 of it. */
const SECTIONS = 20;
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * The best local minima over all steps, at most 16, best first. Steps are tried at equal ratios over
 * the whole range; when the evaluations don't reach for `spacing`, those that are left go where the
 * error is within `tolerance` of the best. Minima among them are refined by golden sections.
 */
export function searchSteps(range: StepRange): Scored[] {
  const { from, to, spacing, tolerance, score } = range;
  const evaluations = Math.max(MIN_EVALUATIONS, range.evaluations);
  let best = Infinity;
  const tryStep = (step: number) => {
    const scored = score(Math.fround(step), best * tolerance);
    best = Math.min(best, scored.error);
    return scored;
  };
  const dense = Math.ceil(ln(to / from) / spacing) + 1;
  const isDense = dense <= evaluations;
  let points = ratios(from, to, isDense ? dense : evaluations >> 1).map(tryStep);
  if (!isDense) points = fillPromising(points, range, tryStep, evaluations >> 1);
  const minima = points.flatMap(({ error }, i) => {
    const isMinimum = error <= (points[i - 1]?.error ?? Infinity) &&
      error < (points[i + 1]?.error ?? Infinity);
    return isMinimum || error === best ? [i] : [];
  }).sort((a, b) => points[a].error - points[b].error || points[a].step - points[b].step);
  const refined = Math.max(2, Math.min(MAX_REFINED, Math.floor(evaluations / SECTIONS / 2)));
  return minima.slice(0, refined).map((i) =>
    refine(points[i], points[Math.max(i - 1, 0)], points[Math.min(i + 1, points.length - 1)], score)
  ).sort((a, b) => a.error - b.error);
}

/** `count` values at equal ratios, both ends included. */
function ratios(from: number, to: number, count: number): number[] {
  const ratio = ln(to / from) / Math.max(1, count - 1);
  return Array.from(
    { length: count },
    (_, i) => i === 0 ? from : Math.min(from * exp(ratio * i), to),
  );
}

/** The points with more of them in the intervals that have a promising end, `left` in all. */
function fillPromising(
  points: readonly Scored[],
  { spacing, tolerance }: StepRange,
  tryStep: (step: number) => Scored,
  left: number,
): Scored[] {
  const limit = tolerance * points.reduce((least, { error }) => Math.min(least, error), Infinity);
  const isPromising = points.map(({ error }, i) =>
    i + 1 < points.length && Math.min(error, points[i + 1].error) <= limit
  );
  const intervals = isPromising.filter(Boolean).length;
  const ratio = ln(points[points.length - 1].step / points[0].step) / (points.length - 1);
  const inserted = Math.min(Math.floor(left / intervals), Math.ceil(ratio / spacing) - 1);
  return points.flatMap((point, i) =>
    isPromising[i]
      ? [
        point,
        ...ratios(point.step, points[i + 1].step, inserted + 2).slice(1, -1).map(tryStep),
      ]
      : [point]
  );
}

/** Golden sections between the neighbours of a minimum. */
export function refine(
  start: Scored,
  left: Scored,
  right: Scored,
  score: StepRange["score"],
): Scored {
  let [a, b] = [left.step, right.step];
  const at = (part: number) => score(Math.fround(a + (b - a) * part), Infinity);
  let [x, y] = [at(1 - GOLDEN), at(GOLDEN)];
  let best = start;
  for (let i = 0; i < SECTIONS && b > a; i++) {
    for (const scored of [x, y]) if (scored.error < best.error) best = scored;
    if (x.error <= y.error) {
      [b, y] = [y.step, x];
      x = at(1 - GOLDEN);
    } else {
      [a, x] = [x.step, y];
      y = at(GOLDEN);
    }
  }
  return best;
}
