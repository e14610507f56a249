/**
 * Symmetric grids: any threshold, zero point 0.
 *
 * @module
 */
import { exp2, log2, power as raise } from "../../../core/portable_math.ts";
import { type Levels, symmetricLevels } from "../../../core/grid.ts";
import { stopLoss } from "../../statistics/stop_loss.ts";
import { latticeSteps } from "./lattice.ts";
import { spikeSteps } from "./spikes.ts";
import { searchLine } from "./line_search.ts";
import type { Judge } from "../methods/method.ts";
import type { TensorView } from "../../statistics/tensor_view.ts";
import { countAbove } from "../../statistics/value_bins.ts";
import { type ConstraintSearch, MIN_THRESHOLD, type Size, type Trial } from "./constraint.ts";

/** The scan begins this far above where the largest magnitude has the top code; MCT's window ends at 1.2. */
export const HEADROOM = 1.25;
/** And goes down this many octaves: MAE on a tensor with an outlier wants thresholds far below it. */
export const OCTAVES = 20;

/** Points per octave of the scan. */
const DENSITY = 16;
/**
 * The same where few elements reach half a step, the only ones whose error depends on where the levels lie: their
 * errors don't average out, and the valleys of the curve are as narrow as a code of 8 bits.
 */
const RAGGED = [{ elements: 64, density: 2048 }, { elements: 1024, density: 320 }];
/** And for the narrow valleys of few distinct values, which cost little. */
const LATTICE_DENSITY = 160;
/** KL is smooth, and a hundred times as costly as MSE. */
const COSTLY_DENSITY = 6;

/** Points per octave for this tensor and method, where the step is `step`. */
export function densityFor(view: TensorView, { power }: Judge): (step: number) => number {
  if (power === undefined) return () => COSTLY_DENSITY;
  const least = latticeSteps(view).length > 0 ? LATTICE_DENSITY : DENSITY;
  const { bins } = view;
  return (step) => {
    const small = countAbove(bins, -step / 2) - countAbove(bins, step / 2);
    return RAGGED.find(({ elements }) => bins.total - small <= elements)?.density ?? least;
  };
}

/** Any threshold: a global search, unlike MCT's, which starts at the maximum and stays in its valley. */
export const symmetric: ConstraintSearch = {
  minimise: (view, size, judge) => {
    const { magnitude } = view;
    const codes = 2 ** (size.signed ? size.bits - 1 : size.bits);
    // In whole steps of the scan.
    const toTop = exp2(Math.ceil(DENSITY * log2(codes / (codes - 1))) / DENSITY);
    const high = Math.max(MIN_THRESHOLD, HEADROOM * magnitude * toTop);
    const low = Math.max(MIN_THRESHOLD, high / 2 ** OCTAVES);
    const judged = judgeWinners(view, judge);
    const density = densityFor(view, judge);
    const tryAt = (threshold: number): Trial => {
      const levels = symmetricLevels(threshold, size.bits, size.signed);
      return { threshold, levels, error: judged(levels) };
    };
    const { best, scan } = searchLine((x) => tryAt(x).error, low, high, {
      density: (x) => density(symmetricLevels(x, size.bits, size.signed).step),
      floor: clippingFloor(view, size.signed ? "both" : "high", judge),
      seeds: judge.power === undefined ? [] : spikeSteps(view, codes).map((step) => step * codes),
      seedReach: 0.25 / codes,
    });
    // Never worse than the range of the data, and than the lattice that the data may lie on.
    const more = [magnitude, ...latticeSteps(view).map((step) => step * codes)]
      .filter((threshold) => threshold >= MIN_THRESHOLD).map(tryAt);
    return {
      best: [tryAt(best.x), ...more].reduce((a, b) => b.error < a.error ? b : a),
      curve: scan.filter(({ error }) => Number.isFinite(error))
        .map(({ x, error }) => ({ ...tryFrom(x, size), error })),
      reason: `least of a global search along ${scan.length} thresholds`,
    };
  },
  fit: (_view, size, { low, high }) => tryFrom(Math.max(MIN_THRESHOLD, -low, high), size),
};

/**
 * ERR of grids for a search of the least: Infinity for one whose floor, with a margin for rounding, is above the least
 * ERR so far.
 */
export function judgeWinners(view: TensorView, judge: Judge): (levels: Levels) => number {
  let least = Infinity;
  return (levels) => {
    if (0.999 * (judge.floor?.(view, levels) ?? 0) > least) return Infinity;
    const error = judge.error(view, levels);
    least = Math.min(least, error);
    return error;
  };
}

function tryFrom(threshold: number, { bits, signed }: Size): Pick<Trial, "levels" | "threshold"> {
  return { threshold, levels: symmetricLevels(threshold, bits, signed) };
}

/** Which values a threshold clips: those above it, those below its negative, or both. */
export type Ends = "high" | "low" | "both";

/**
 * What clipping alone costs, for methods of a power: it only grows as the threshold falls, so the scan can stop.
 * Σ (|x| − t)^p ≥ n · (Σ (|x| − t) / n)^p, for a mean of powers is no less than the power of the mean.
 */
export function clippingFloor(view: TensorView, ends: Ends, { power }: Judge) {
  if (power === undefined) return undefined;
  const { bins } = view;
  return (threshold: number): number => {
    const above = ends === "low" ? 0 : stopLoss(bins, threshold);
    // Σ max(0, −t − x) = Σ (−t − x) + T(−t); a bin that −t cuts is estimated on the safe side.
    const below = ends === "high"
      ? 0
      : Math.max(0, stopLoss(bins, -threshold) - bins.tailSum[0] - threshold * bins.total);
    const clipped = 0.999 * (above + below);
    return power === 1
      ? clipped
      : power === 2
      ? clipped * clipped / bins.total
      : bins.total * raise(clipped / bins.total, power);
  };
}
