/**
 * The statistics of a tensor, and the two interfaces that every implementation has.
 *
 * This module is browser compatible.
 *
 * @module
 */

import type { RunSums } from "./run_sums.ts";

/**
 * Exact statistics of one tensor, as plain values.
 *
 * Canonical: bins ascend by number and none is empty, so equal statistics have equal
 * arrays. All sums are exact integers; see `bins.ts` for what a bin and its r are. With base and ulp of the bin,
 * Σx = ±ulp·(n·base + Σr) and Σx² = ulp²·(n·base² + 2·base·Σr + Σr²).
 */
export interface HistogramData {
  /** Finite elements, zeros included. Integer. */
  readonly finite: number;
  /** Elements that are +0 or -0. Integer. */
  readonly zeros: number;
  /** Elements that are NaN. Integer. */
  readonly nan: number;
  /** Elements that are +∞. Integer. */
  readonly positiveInfinity: number;
  /** Elements that are -∞. Integer. */
  readonly negativeInfinity: number;
  /** Smallest finite element: a float32 value, 0 for -0, NaN when `finite` is 0. */
  readonly min: number;
  /** Largest finite element: a float32 value, 0 for -0, NaN when `finite` is 0. */
  readonly max: number;
  /** Numbers of the bins that are not empty, ascending. */
  readonly bins: Uint32Array;
  /** Elements in each of them. Integers. */
  readonly n: Float64Array;
  /** Σr of each. */
  readonly r1: BigUint64Array;
  /** Σr² of each. */
  readonly r2: BigUint64Array;
}

/**
 * Statistics that grow: what it holds depends only on which elements it has been given, never on their
 * order, nor on how they were split over calls or over accumulators.
 *
 * It holds at most 2^53 - 1 elements, and Σr² of each bin below 2^64. The first limit that can be met is
 * 2^34 elements in one bin; zeros, whose r is 0, do not come near it.
 */
export interface Accumulator {
  /** Elements so far that are NaN or infinite: a cheap look between batches. Integer. */
  readonly nonFinite: number;

  /**
   * Adds all elements.
   *
   * @param sums Filled with the sums of runs of the elements, which cost a quarter of what the histogram does (measured).
   * @throws {TypeError} When `values` is no Float32Array.
   * @throws {RangeError} When the elements might not fit, or the host has no memory. Nothing has changed then.
   */
  observe(values: Float32Array, sums?: RunSums): void;

  /**
   * Merges: the same as having observed the elements behind `data`.
   *
   * @throws {TypeError | RangeError} When `data` is not canonical, when the sums do not fit, or the host has
   * no memory. Nothing has changed then.
   */
  add(data: HistogramData): void;

  /** A copy of the statistics so far. Observing may go on afterwards. */
  data(): HistogramData;
}

/** A source of accumulators. One that uses WebAssembly keeps all of its accumulators in one instance. */
export interface HistogramCore {
  /** Which implementation this is. They agree bit for bit. */
  readonly name: "simd" | "scalar" | "naive";

  /** A new accumulator that has seen nothing. */
  create(): Accumulator;
}

/**
 * The statistics of no elements: the neutral element of {@linkcode Accumulator.add}.
 *
 * @example Usage
 * ```ts
 * import { emptyHistogram } from "./histogram.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(emptyHistogram().finite, 0);
 * ```
 */
export function emptyHistogram(): HistogramData {
  return {
    finite: 0,
    zeros: 0,
    nan: 0,
    positiveInfinity: 0,
    negativeInfinity: 0,
    min: NaN,
    max: NaN,
    bins: new Uint32Array(0),
    n: new Float64Array(0),
    r1: new BigUint64Array(0),
    r2: new BigUint64Array(0),
  };
}
