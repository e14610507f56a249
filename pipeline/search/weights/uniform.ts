/**
 * Weights on k·step, k from `low` to `low` + 2^b − 1, zero among them: an affine grid.
 *
 * @module
 */
import { roundHalfEven } from "../../../core/grid.ts";
import {
  bestGrids,
  exactBest,
  float32AtLeast,
  stepRange,
  type WeightConstraint,
  type WeightSearch,
} from "./constraint.ts";
import type { Scored } from "./step_search.ts";
import type { WeightErrors } from "./weight_errors.ts";

/** Constraint `uniform` of weights. */
export const uniformWeights: WeightConstraint = { maxRange, search };

/** Positions of the window that are tried first; the best one is then refined by halving. */
const POSITIONS = 8;
/** Positions that a step costs when the window may slide, on the average of steps that clip and that don't. */
const POSITION_COST = 4;

function maxRange({ errors: { min, max }, bits, floor }: WeightSearch) {
  const codes = 2 ** bits - 1;
  const step = Math.max(float32AtLeast((max - min) / codes), floor);
  const low = lowest(min, max, step, codes).nearestCentre;
  return { step, low, high: low + codes };
}

/**
 * Where the window of codes may lie: `first` clips nothing below, `last` nothing above. When the window
 * holds all weights any position between the two is as good; the one nearest to the centre
 * gives the zero point nearest to 0.
 */
function lowest(min: number, max: number, step: number, codes: number) {
  const inside = (low: number) => Math.min(Math.max(low, -codes), 0) + 0;
  const first = inside(roundHalfEven(min / step));
  const last = inside(roundHalfEven(max / step) - codes);
  const centre = -(codes + 1) / 2;
  const [a, b] = [Math.min(first, last), Math.max(first, last)];
  return { first, last, nearestCentre: Math.min(Math.max(centre, a), b) };
}

/** Both ends: for each step the best position of the window. */
function search(input: WeightSearch) {
  const { errors, bits } = input;
  const { min, max } = errors;
  const codes = 2 ** bits - 1;
  const start = maxRange(input);
  const slides = input.clip && min < 0 && max > 0;
  const work = slides ? input.work / POSITION_COST : input.work;
  const found = bestGrids(
    errors,
    {
      ...stepRange({ ...input, work }, { start, span: max - min, reach: codes, ends: 2 }),
      score: (step, bound) => bestPosition(errors, step, codes, bound),
    },
    !input.clip ? Infinity : slides ? undefined : codes,
  );
  return exactBest(errors, [start, ...found]);
}

/**
 * What is clipped grows convexly to either side of the best position; rounding adds noise of no more
 * than half a step a weight. So a coarse look at all positions, then at ever closer ones, finds it.
 */
function bestPosition(errors: WeightErrors, step: number, codes: number, bound: number): Scored {
  const { first, last, nearestCentre } = lowest(errors.min, errors.max, step, codes);
  let best: Scored = { step, low: 0, high: 0, error: Infinity };
  const tried = new Set<number>();
  const tryAt = (low: number) => {
    if (tried.has(low)) return;
    tried.add(low);
    const grid = { step, low, high: low + codes };
    const error = errors.estimate(grid, Math.min(bound, best.error));
    if (error < best.error) best = { ...grid, error };
  };
  if (first >= last) {
    tryAt(nearestCentre);
    return best;
  }
  let stride = Math.max(1, Math.ceil((last - first) / POSITIONS));
  for (let low = first; low < last; low += stride) tryAt(low);
  tryAt(last);
  while (stride > 1) {
    stride = Math.ceil(stride / 2);
    const { low } = best;
    for (const near of [low - stride, low + stride]) {
      if (near >= first && near <= last) tryAt(near);
    }
  }
  return best;
}
