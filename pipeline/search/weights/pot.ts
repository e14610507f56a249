/**
 * Weights on MCT's power-of-two grid: threshold t a power of two, step t/2^(b−1), codes from −2^(b−1)
 * to 2^(b−1) − 1.
 *
 * @module
 */
import { type Levels, powerOfTwoAtLeast } from "../../../core/grid.ts";
import { exactBest, type WeightConstraint, type WeightSearch } from "./constraint.ts";

/** Constraint `pot` of weights. */
export const potWeights: WeightConstraint = { maxRange, search };

/** Octaves above the smallest threshold that clips nothing; there the error quadruples with each. */
const OCTAVES_ABOVE = 2;
/** MCT's candidates for weights: ten, the first one twice the threshold that clips nothing. */
const CANDIDATES = 10;

function gridOf(step: number, bits: number): Levels {
  return { step, low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1 };
}

function maxRange({ errors: { min, max }, bits, floor }: WeightSearch) {
  const { low, high } = gridOf(1, bits);
  const needed = Math.max(max / (high + 0.5), min / (low - 0.5), floor);
  return gridOf(powerOfTwoAtLeast(needed), bits);
}

/** All candidates by their exact errors; a tie goes to the one nearest the smallest that clips nothing. */
function search(input: WeightSearch) {
  const { errors, bits, clip } = input;
  const floor = powerOfTwoAtLeast(input.floor);
  const start = maxRange(input);
  // MCT's own start is its no-clipping threshold, which is ours or, for half a step, twice ours.
  const factors = clip
    ? [0, 1, 2, ...Array.from({ length: CANDIDATES - 1 }, (_, i) => -1 - i)]
    : Array.from({ length: OCTAVES_ABOVE + 1 }, (_, i) => i);
  const steps = factors.map((octave) => start.step * 2 ** octave).filter((step) => step >= floor);
  return exactBest(errors, steps.map((step) => gridOf(step, bits)));
}
