/**
 * Power-of-two thresholds.
 *
 * @module
 */
import { log2 } from "../../../core/portable_math.ts";
import { powerOfTwoAtLeast, symmetricLevels } from "../../../core/grid.ts";
import { compareDyadic, type Dyadic, toNumber } from "../../statistics/dyadic.ts";
import type { Judge } from "../methods/method.ts";
import type { TensorView } from "../../statistics/tensor_view.ts";
import { type ConstraintSearch, MIN_THRESHOLD, type Size, type Trial } from "./constraint.ts";

/** Number of candidates, as in MCT (`qparams_search.py`, n_iter). */
const CANDIDATES = 20;
/** Largest threshold whose double is a float32. */
const MAX_THRESHOLD = 2 ** 126;

/** 2^k. The candidates are MCT's: 2·2^⌈log2 max|x|⌉ / 2^i, i = 0 … 19, down to 2^−16. */
export const powerOfTwo: ConstraintSearch = {
  minimise: (view, size, judge) => {
    const range = ceilPowerOfTwo(view.magnitude);
    const trials: Trial[] = [];
    let least = Infinity;
    let tried = 0;
    for (let i = 0; i < CANDIDATES; i++) {
      const threshold = 2 * range / 2 ** i;
      if (threshold < MIN_THRESHOLD) break;
      tried++;
      // A candidate that can't win needs no exact figure; a margin keeps ties, and rounding, out of it.
      const floor = judge.floor?.(view, symmetricLevels(threshold, size.bits, size.signed)) ?? 0;
      if (0.999 * floor > least) continue;
      const trial = tryThreshold(view, size, judge, threshold);
      least = Math.min(least, trial.error);
      trials.push(trial);
    }
    const distance = ({ threshold }: Trial) => Math.abs(log2(threshold / range));
    const best = trials.reduce((a, b) => {
      const order = compare(b, a);
      return order < 0 || order === 0 && distance(b) < distance(a) ? b : a;
    });
    return { best, curve: trials, reason: `least of ${tried} powers of two` };
  },
  fit: (_view, { bits, signed }, { low, high }) => {
    const threshold = ceilPowerOfTwo(Math.max(-low, high));
    return { threshold, levels: symmetricLevels(threshold, bits, signed) };
  },
};

function tryThreshold(
  view: TensorView,
  { bits, signed }: Size,
  judge: Judge,
  threshold: number,
): Trial {
  const levels = symmetricLevels(threshold, bits, signed);
  const exact = exactPowerOfTwoError(view, { bits, signed }, judge, threshold);
  return exact === undefined
    ? { threshold, levels, error: judge.error(view, levels) }
    : { threshold, levels, exact, error: toNumber(exact) };
}

/**
 * The exact error sum of a power-of-two threshold: for MSE and MAE, up to 8 bits unsigned and 9
 * signed. Undefined for anything else.
 */
export function exactPowerOfTwoError(
  view: TensorView,
  { bits, signed }: Size,
  { power }: { power?: number },
  threshold: number,
): Dyadic | undefined {
  const exponent = log2(threshold);
  const isExact = (power === 1 || power === 2) && bits <= (signed ? 9 : 8) &&
    Number.isInteger(exponent);
  if (!isExact) return undefined;
  const { squared, absolute } = view.powerOfTwoErrors({ exponent, bits, signed });
  return power === 2 ? squared : absolute;
}

function compare(a: Trial, b: Trial): number {
  if (a.exact !== undefined && b.exact !== undefined) return compareDyadic(a.exact, b.exact);
  return a.error - b.error;
}

/** Smallest power of two that is at least x, within the allowed thresholds. */
export function ceilPowerOfTwo(x: number): number {
  if (x <= MIN_THRESHOLD) return MIN_THRESHOLD;
  return Math.min(powerOfTwoAtLeast(x), MAX_THRESHOLD);
}
