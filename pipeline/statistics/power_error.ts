/**
 * Σ |Q(x) − x|^p for exponents without a closed form.
 *
 * @module
 */
import { power } from "../../core/portable_math.ts";
import type { Levels } from "../../core/grid.ts";
import { binIndex, type ValueBins } from "./value_bins.ts";

/** Parts of a cut bin. */
const CUT_PARTS = 8;

/**
 * Estimate of Σ |Q(x) − x|^p in float64 for any p: each bin as two points with its mean and variance, and a bin that a
 * rounding border cuts as equal parts. What becomes zero, most bins of most tensors, is a difference of running sums.
 *
 * @param p 1 or more.
 */
export function powerError(bins: ValueBins, levels: Levels, p: number): number {
  const { step, low, high } = levels;
  const { from, to, mean, variance, count } = bins;
  const { zero, outwards } = runningPowers(bins, p);
  // Without codes below zero all that is negative becomes zero, however far it lies.
  const isWithin = (i: number) => from[i] >= -step / 2;
  const edge = low === 0 ? 0 : Math.min(binIndex(bins, -step / 2), zero);
  const start = low === 0 || edge === zero || isWithin(edge) ? edge : edge + 1;
  const end = high === 0 ? count.length : Math.max(binIndex(bins, step / 2), zero);
  const inverse = 1 / step;
  const flat = power(step / 2, p) / (p + 1);
  const [least, most] = [low * step, high * step];
  const at = (x: number) => {
    const code = Math.round(x * inverse);
    return raise(Math.abs((code < low ? low : code > high ? high : code) * step - x), p);
  };
  let sum = outwards[start] + outwards[end];
  for (let i = start === 0 ? end : 0; i < count.length; i = i + 1 === start ? end : i + 1) {
    const isWide = to[i] - from[i] > step && mean[i] > least && mean[i] < most;
    if (isWide) sum += count[i] * flat;
    else if (variance[i] === 0) sum += count[i] * at(mean[i]);
    else if (Math.round(from[i] * inverse) !== Math.round(to[i] * inverse)) {
      const part = (to[i] - from[i]) / CUT_PARTS;
      let errors = 0;
      for (let k = 0; k < CUT_PARTS; k++) errors += at(from[i] + (k + 0.5) * part);
      sum += count[i] * errors / CUT_PARTS;
    } else {
      const deviation = Math.sqrt(variance[i]);
      sum += count[i] * (at(mean[i] - deviation) + at(mean[i] + deviation)) / 2;
    }
  }
  return sum;
}

/** x^p for x ≥ 0. */
function raise(x: number, p: number): number {
  return p === 3 ? x * x * x : p === 4 ? (x * x) * (x * x) : power(x, p);
}

/** Σ |x|^p from zero outwards, so that small sums aren't differences of large ones. */
interface RunningPowers {
  readonly p: number;
  /** The first bin that isn't negative. */
  readonly zero: number;
  /** Up to a bin: of those from there to zero below it, of those from zero to there, without it, above. */
  readonly outwards: Float64Array;
}

const known = new WeakMap<ValueBins, RunningPowers>();

function runningPowers(bins: ValueBins, p: number): RunningPowers {
  let found = known.get(bins);
  if (found?.p !== p) known.set(bins, found = makeRunningPowers(bins, p));
  return found!;
}

function makeRunningPowers({ from, mean, variance, count }: ValueBins, p: number): RunningPowers {
  const { length } = count;
  let zero = 0;
  // A bin of negative values may reach up to zero, and begins below it.
  while (zero < length && (from[zero] < 0 || Object.is(from[zero], -0))) zero++;
  const own = (i: number) => {
    const deviation = Math.sqrt(variance[i]);
    return count[i] *
      (raise(Math.abs(mean[i] - deviation), p) + raise(Math.abs(mean[i] + deviation), p)) / 2;
  };
  const outwards = new Float64Array(length + 1);
  for (let i = zero; i < length; i++) outwards[i + 1] = outwards[i] + own(i);
  for (let i = zero - 1; i >= 0; i--) outwards[i] = outwards[i + 1] + own(i);
  return { p, zero, outwards };
}
