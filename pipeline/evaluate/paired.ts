/**
 * Whether two models that saw the same samples differ by more than chance: statistics of paired hits.
 *
 * Only the samples on which exactly one of the two is right say anything. Of `total` samples let `gained` be right in
 * the second model only, `lost` right in the first only; the difference of their top-1 is (gained − lost) / total.
 *
 * @module
 */
import { exp, ln } from "../../core/portable_math.ts";

/** How often two models differ on the same labelled samples. */
export interface PairedCounts {
  /** Labelled samples. */
  readonly total: number;
  /** Right in the second model only. */
  readonly gained: number;
  /** Right in the first model only. */
  readonly lost: number;
}

/** What can be said about the difference of two models; plain JSON. */
export interface PairedDifference extends PairedCounts {
  /** Top-1 of the second model minus that of the first. */
  readonly difference: number;
  /** 95 % interval of the difference; see {@linkcode differenceInterval}. */
  readonly interval: readonly [number, number];
  /** See {@linkcode mcNemar}. */
  readonly p: number;
  /** Whether `p` is below 0.05. Near the border the exact test is stricter than the interval, which may leave 0 out. */
  readonly isDistinct: boolean;
}

/** Differences whose p is below this count. */
export const SIGNIFICANCE = 0.05;
/** Quantile of the normal distribution that leaves 2.5 % on each side. */
const Z = 1.959963984540054;
/** Halvings of an interval of length 2: as many as a float64 has use for. */
const HALVINGS = 60;

/** Difference, interval and p of two models. `total` must be at least 1. */
export function pairedDifference({ total, gained, lost }: PairedCounts): PairedDifference {
  const p = mcNemar(gained, lost);
  return {
    total,
    gained,
    lost,
    p,
    difference: (gained - lost) / total,
    interval: differenceInterval({ total, gained, lost }),
    isDistinct: p < SIGNIFICANCE,
  };
}

/**
 * McNemar's test in its exact form, two-sided: were the models equally good, each of the m = gained + lost samples on
 * which they differ would fall to either side like a coin.
 *
 *     p = min(1, 2 · Σ_{k ≤ min(gained, lost)} C(m, k) / 2^m)
 *
 * Source: Q. McNemar, Psychometrika 12 (1947) 153–157; the exact binomial form as in A. Agresti, Categorical Data
 * Analysis, 3rd ed., §11.1.2.
 */
export function mcNemar(gained: number, lost: number): number {
  const m = gained + lost;
  // Logarithms: 2^m is beyond float64 from m = 1024 on.
  let term = -m * Math.LN2;
  let sum = 0;
  for (let k = 0; k <= Math.min(gained, lost); k++) {
    sum += exp(term);
    term += ln(m - k) - ln(k + 1);
  }
  return Math.min(1, 2 * sum);
}

/**
 * Tango's score interval for the difference of paired proportions, 95 %: all δ that the data don't contradict,
 *
 *     |gained − lost − n·δ| ≤ z · sqrt(n·(2·q + δ·(1 − δ))),
 *
 * where n = total and q is the likeliest part of lost samples if the difference were δ:
 *
 *     q = (sqrt(B² − 4·A·C) − B) / 2A,  A = 2n,  B = (2n − gained + lost)·δ − gained − lost,  C = −lost·δ·(1 − δ).
 *
 * It stays honest where models hardly differ: no difference on n samples gives ± z²/(n + z²), not 0, which is what
 * resampling and the normal approximation would give.
 *
 * Source: T. Tango, Statistics in Medicine 17 (1998) 891–908.
 */
export function differenceInterval(
  counts: PairedCounts,
): readonly [number, number] {
  const { total, gained, lost } = counts;
  const middle = (gained - lost) / total;
  return [bound(counts, -1, middle), bound(counts, 1, middle)];
}

/** The δ between `middle` and `end` from which on the score is beyond z. */
function bound(counts: PairedCounts, end: -1 | 1, middle: number): number {
  let [inside, outside] = [middle, end as number];
  for (let i = 0; i < HALVINGS; i++) {
    const half = (inside + outside) / 2;
    if (Math.abs(scoreStatistic(counts, half)) <= Z) inside = half;
    else outside = half;
  }
  return inside;
}

/** How many standard deviations the data are from a difference of `delta`, −1 < delta < 1. */
export function scoreStatistic({ total: n, gained, lost }: PairedCounts, delta: number): number {
  const distance = gained - lost - n * delta;
  const a = 2 * n;
  const b = (2 * n - gained + lost) * delta - gained - lost;
  const c = -lost * delta * (1 - delta);
  const q = (Math.sqrt(Math.max(0, b * b - 4 * a * c)) - b) / (2 * a);
  const variance = n * (2 * q + delta * (1 - delta));
  return distance === 0 ? 0 : distance / Math.sqrt(Math.max(0, variance));
}
