/**
 * Exact errors of power-of-two thresholds.
 *
 * With step d, every rounding border (i + ½)·d and grid point i·d is a bin edge as long as
 * d/2 ≥ t/512, that is up to 8 bits unsigned and 9 signed (design §2.2). Then Q is one number q on
 * each bin and q − x keeps its sign on it, so that sums over elements follow from sums per bin
 * without any approximation:
 *
 *     Σ (q − x)² = n·q² − 2·q·Σx + Σx²          Σ |q − x| = |n·q − Σx|
 *
 * @module
 */
import { addDyadic, type Dyadic, ZERO } from "./dyadic.ts";
import type { ExactHistogram, Octave } from "./exact_histogram.ts";

/** A power-of-two quantizer: threshold 2^`exponent`. */
export interface PowerOfTwoQuantizer {
  /** log2 of the threshold. */
  readonly exponent: number;
  /** 2 to 8 unsigned, 2 to 9 signed: beyond that borders fall inside bins. */
  readonly bits: number;
  readonly signed: boolean;
}

/** Bins of subnormals are 2^−134 wide: the smallest half step that they resolve. */
const MIN_STEP_EXPONENT = -133;

/** Sums over all finite elements, exact. */
export interface ThresholdErrors {
  /** Σ (Q(x) − x)². */
  readonly squared: Dyadic;
  /** Σ |Q(x) − x|. */
  readonly absolute: Dyadic;
}

/**
 * Exact error sums of one quantizer (round to nearest, saturating to 0 … t − d unsigned, −t … t − d
 * signed; a tie has the same error either way).
 *
 * @throws {RangeError} for grids finer than the bins: more bits than 8 or 9, or a step below 2^−133,
 * where the bins of the subnormals are wider than half a step.
 */
export function powerOfTwoErrors(
  { octaves }: ExactHistogram,
  { exponent, bits, signed }: PowerOfTwoQuantizer,
): ThresholdErrors {
  if (bits > (signed ? 9 : 8)) {
    throw new RangeError(`Exact errors need at most 8 bits unsigned or 9 signed, got ${bits}`);
  }
  const levels = 2 ** (signed ? bits - 1 : bits);
  const stepExponent = exponent - (signed ? bits - 1 : bits);
  if (stepExponent < MIN_STEP_EXPONENT) {
    throw new RangeError(
      `Exact errors need a step of at least 2^${MIN_STEP_EXPONENT}, got 2^${stepExponent}`,
    );
  }
  let squared = ZERO;
  let absolute = ZERO;
  for (const octave of octaves) {
    const largest = octave.sign === 1 ? levels - 1 : signed ? levels : 0;
    const errors = octaveErrors(octave, stepExponent, largest);
    squared = addDyadic(squared, errors.squared);
    absolute = addDyadic(absolute, errors.absolute);
  }
  return { squared, absolute };
}

/** Errors of the magnitudes of one octave on the grid 0, d, … largest·d with d = 2^stepExponent. */
function octaveErrors(octave: Octave, stepExponent: number, largest: number): ThresholdErrors {
  const { base, ulpExponent, count, sum, squares } = octave;
  // Everything in units of 2^unit, of which step and ulp are whole multiples.
  const unit = Math.min(stepExponent, ulpExponent);
  const step = 1n << BigInt(stepExponent - unit);
  const shift = BigInt(ulpExponent - unit);
  let squared = 0n;
  let absolute = 0n;
  const end = base.length;
  for (let start = 0; start < end;) {
    // Half-cells of width d/2: one level each, all on one side of it. The last goes on without end.
    const half = Math.min(halfCell(base[start], ulpExponent, stepExponent), 2 * largest);
    let next = start + 1;
    if (half === 2 * largest) next = end;
    else next = firstBinFrom(half + 1, base, next, ulpExponent, stepExponent);
    const level = BigInt((half + 1) >> 1) * step;
    const n = count[next] - count[start];
    const total = (sum[next] - sum[start]) << shift;
    const square = (squares[next] - squares[start]) << (2n * shift);
    const difference = n * level - total;
    squared += square - level * (total - difference);
    absolute += difference < 0n ? -difference : difference;
    start = next;
  }
  return {
    squared: { value: squared, exponent: 2 * unit },
    absolute: { value: absolute, exponent: unit },
  };
}

/** Number of the half-cell that the bin with this lower edge lies in; Infinity far above the grid. */
function halfCell(base: number, ulpExponent: number, stepExponent: number): number {
  return Math.floor(base * 2 ** (ulpExponent - stepExponent + 1));
}

/** Index of the first bin at or behind `from` whose half-cell is at least `half` (binary search). */
function firstBinFrom(
  half: number,
  base: Float64Array,
  from: number,
  ulpExponent: number,
  stepExponent: number,
): number {
  let low = from;
  let high = base.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (halfCell(base[middle], ulpExponent, stepExponent) < half) low = middle + 1;
    else high = middle;
  }
  return low;
}
