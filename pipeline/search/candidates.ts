/**
 * Power-of-two candidates.
 *
 * @module
 */
import type { HistogramData } from "../../wasm/mod.ts";

/** Number of candidates, as in MCT (`qparams_search.py`, n_iter). */
const CANDIDATES = 20;

/** Smallest threshold, as in MCT (`constants.py`, MIN_THRESHOLD); also for tensors that are all zero. */
const MIN_EXPONENT = -16;

/** Largest exponent whose threshold, doubled, is a float32. */
const MAX_EXPONENT = 126;

/**
 * log2 of the smallest power of two that is at least the largest magnitude: the threshold that
 * clips nothing but a value at the threshold itself, which moves by one step at most.
 */
export function noClippingExponent({ finite, min, max }: HistogramData): number {
  const magnitude = finite === 0 ? 0 : Math.max(-min, max);
  if (magnitude <= 2 ** MIN_EXPONENT) return MIN_EXPONENT;
  // log2 of a double may be off by one ulp near powers of two: correct it.
  let exponent = Math.ceil(Math.log2(magnitude));
  if (2 ** (exponent - 1) >= magnitude) exponent--;
  if (2 ** exponent < magnitude) exponent++;
  return Math.min(exponent, MAX_EXPONENT);
}

/**
 * log2 of the candidate thresholds, descending: 2·2^⌈log2 max|x|⌉ / 2^i, i = 0 … 19, as in MCT
 * (`power_of_two_selection.py`), ending at 2^−16.
 */
export function candidateExponents(data: HistogramData): number[] {
  const first = noClippingExponent(data) + 1;
  return Array.from({ length: CANDIDATES }, (_, i) => first - i).filter((e) => e >= MIN_EXPONENT);
}
