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
 * With q = λ·d, a threshold changes Σx² and Σ|x|, which are known, by Σλ²·d² − 2·Σλ·d·|x|, and by
 * Σ±λ·d − 2·Σ|x| over what lies below its level, with + below and − above it.
 *
 * @module
 */
import { BINS_PER_OCTAVE } from "../../wasm/mod.ts";
import { addDyadic, type Dyadic, ZERO } from "./dyadic.ts";
import { COUNT_BITS, type ExactHistogram, joinUlps, type Plane } from "./exact_histogram.ts";

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
  { octaves, squares, magnitudes }: ExactHistogram,
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
  // Σλ² and Σ±λ, by plane those of levels that are not clipped; Σλ·|x| and Σ|x| below the level.
  let [levelSquares, signedLevels] = [0n, 0n];
  const planeSquares = [0, 0];
  const planeLevels = [0, 0];
  let [products, below] = [ZERO, ZERO];
  let clippedSign = 0;
  for (const octave of octaves) {
    if (octave.sign === clippedSign) continue;
    const largest = octave.sign === 1 ? levels - 1 : signed ? levels : 0;
    // Half-cells of width d/2 have one level each, and all of them on one side of it.
    const stride = 2 ** (stepExponent - 16 - octave.ulpExponent);
    if (largest === 0 || octave.first + BINS_PER_OCTAVE <= stride) continue;
    if (octave.first >= 2 * largest * stride) {
      // All from here on is clipped.
      const level = BigInt(largest);
      levelSquares += level * level * octave.countFromHere;
      signedLevels -= level * octave.countFromHere;
      const { value, exponent } = octave.sumFromHere;
      products = addDyadic(products, { value: level * value, exponent });
      clippedSign = octave.sign;
      continue;
    }
    let [productUlps, belowUlps] = [0n, 0n];
    for (const [i, plane] of octave.planes.entries()) {
      const sums = sumPlane(plane, octave.first / stride, stride, largest);
      planeSquares[i] += sums.levelSquares;
      planeLevels[i] += sums.signedLevels;
      productUlps += joinUlps(plane, sums.levelPlaces, sums.levelRests);
      belowUlps += joinUlps(plane, sums.placesBelow, sums.restsBelow);
    }
    products = addDyadic(products, { value: productUlps, exponent: octave.ulpExponent });
    below = addDyadic(below, { value: belowUlps, exponent: octave.ulpExponent });
  }
  const join = ([low, high]: number[]) => BigInt(low) + (BigInt(high) << BigInt(COUNT_BITS));
  levelSquares += join(planeSquares);
  signedLevels += join(planeLevels);
  const times = ({ value, exponent }: Dyadic, by: number) => ({ value, exponent: exponent + by });
  const change = (a: Dyadic, plus: Dyadic, minus: Dyadic) =>
    addDyadic(addDyadic(a, plus), { ...minus, value: -minus.value });
  return {
    squared: change(
      squares,
      { value: levelSquares, exponent: 2 * stepExponent },
      times(products, stepExponent + 1),
    ),
    absolute: change(
      magnitudes,
      { value: signedLevels, exponent: stepExponent },
      times(below, 1),
    ),
  };
}

/** Sums over the half-cells of one octave, `stride` bins each from number `half` on; the last one has no end. */
function sumPlane(
  { count, places, rests }: Plane,
  half: number,
  stride: number,
  largest: number,
) {
  let [levelSquares, signedLevels] = [0, 0];
  let [levelPlaces, levelRests] = [0, 0];
  let [placesBelow, restsBelow] = [0, 0];
  for (let from = 0; from < BINS_PER_OCTAVE; half++) {
    const to = half < 2 * largest ? from + stride : BINS_PER_OCTAVE;
    const level = (half + 1) >> 1;
    const n = count[to] - count[from];
    const k = places[to] - places[from];
    const r = rests[to] - rests[from];
    levelSquares += level * level * n;
    levelPlaces += level * k;
    levelRests += level * r;
    if (half % 2 === 1 && half < 2 * largest) {
      signedLevels += level * n;
      placesBelow += k;
      restsBelow += r;
    } else signedLevels -= level * n;
    from = to;
  }
  return { levelSquares, signedLevels, levelPlaces, levelRests, placesBelow, restsBelow };
}
