/**
 * What every implementation refuses, in the same words. All checks come before the first change.
 *
 * This module is browser compatible.
 *
 * @module
 */
import { binNumber, BINS_PER_SIGN, isFiniteBin } from "./bins.ts";
import type { DirectGrid } from "./direct_errors.ts";
import type { HistogramData } from "./histogram.ts";

/** Most elements of an accumulator: counts are exact as numbers. */
export const MAX_ELEMENTS = Number.MAX_SAFE_INTEGER;

/** Largest Σr² of a bin. */
export const MAX_R2 = 2n ** 64n - 1n;

/** Most grids of one pass: 4 MiB of them. */
export const MAX_GRIDS = 65536;

/** Smallest normal float32. */
const MIN_STEP = 2 ** -126;

/** Largest distance of a level from 0, in steps. */
const MAX_LEVEL = 65536;

/** Refuses anything but a Float32Array, which may come from another realm. */
export function checkValues(values: Float32Array): void {
  const tag = Object.prototype.toString.call(values);
  if (tag !== "[object Float32Array]") {
    throw new TypeError(`Cannot observe values: wanted a Float32Array, found ${tag}`);
  }
}

/** Refuses `added` elements where the total would pass {@linkcode MAX_ELEMENTS}. */
export function checkTotal(action: string, held: number, added: number): void {
  if (held + added > MAX_ELEMENTS) {
    throw new RangeError(
      `Cannot ${action}: an accumulator holds at most ${MAX_ELEMENTS} elements, ` +
        `it has ${held} and would get ${added} more`,
    );
  }
}

/** The error for `count` elements that might take a Σr² past {@linkcode MAX_R2}. */
export function noRoomError(count: number): RangeError {
  return new RangeError(
    `Cannot observe ${count} elements: Σr² of the fullest bin must stay below 2^64 (at least 2^34 elements) ` +
      `and could pass it`,
  );
}

/** The error for a bin whose merged Σr² would pass {@linkcode MAX_R2}. */
export function fullBinError(bin: number): RangeError {
  return new RangeError(
    `Cannot add histogram data: Σr² of bin ${bin} must stay below 2^64 (at least 2^34 elements) ` +
      `and would pass it`,
  );
}

/** Elements of all kinds. */
export function countAll(data: HistogramData): number {
  return data.finite + data.nan + data.positiveInfinity + data.negativeInfinity;
}

/**
 * Refuses grids whose errors could not be summed exactly enough.
 *
 * @throws {TypeError | RangeError} Naming the field, what was wanted and what was found.
 */
export function checkGrids(grids: readonly DirectGrid[]): void {
  if (!Array.isArray(grids)) {
    const tag = Object.prototype.toString.call(grids);
    throw new TypeError(`Cannot create direct errors: wanted an array of grids, found ${tag}`);
  }
  if (grids.length > MAX_GRIDS) refuseGrids("their number", `at most ${MAX_GRIDS}`, grids.length);
  // Not forEach(), which passes over holes.
  for (const [i, { step, low, high }] of grids.entries()) {
    if (!(step >= MIN_STEP && step < Infinity && Math.fround(step) === step)) {
      refuseGrids(`grids[${i}].step`, "a normal float32 above 0", step);
    }
    if (!(Number.isInteger(low) && low >= -MAX_LEVEL && low <= 0)) {
      refuseGrids(`grids[${i}].low`, `an integer from -${MAX_LEVEL} to 0`, low);
    }
    if (!(Number.isInteger(high) && high >= 0 && high <= MAX_LEVEL)) {
      refuseGrids(`grids[${i}].high`, `an integer from 0 to ${MAX_LEVEL}`, high);
    }
    if (low === high) refuseGrids(`grids[${i}].high`, "more than low", high);
  }
}

function refuseGrids(field: string, wanted: string, found: number): never {
  throw new RangeError(`Cannot create direct errors: ${field} must be ${wanted}, found ${found}`);
}

/**
 * Refuses data that is not canonical or contradicts itself: read from a damaged file, say.
 *
 * Σr and Σr² are taken as they are.
 *
 * @throws {RangeError} Naming the field, what was wanted and what was found.
 */
export function checkHistogramData(data: HistogramData): void {
  checkCounts(data);
  checkBins(data);
  checkExtremes(data);
}

function checkCounts(data: HistogramData): void {
  for (const field of ["finite", "zeros", "nan", "positiveInfinity", "negativeInfinity"] as const) {
    const count = data[field];
    if (!Number.isSafeInteger(count) || count < 0) refuse(field, "an integer from 0", count);
  }
  checkTotal("add histogram data", 0, countAll(data));
}

function checkBins(data: HistogramData): void {
  const { bins, n } = data;
  for (const field of ["n", "r1", "r2"] as const) {
    if (data[field].length !== bins.length) {
      refuse(`length of ${field}`, `${bins.length}, that of bins`, data[field].length);
    }
  }
  let finite = 0;
  let roomForZeros = 0;
  for (let i = 0; i < bins.length; i++) {
    const bin = bins[i];
    if (!isFiniteBin(bin)) refuse(`bins[${i}]`, "the number of a finite bin", bin);
    if (i > 0 && bin <= bins[i - 1]) refuse(`bins[${i}]`, `more than ${bins[i - 1]}`, bin);
    if (!Number.isSafeInteger(n[i]) || n[i] <= 0) refuse(`n[${i}]`, "an integer from 1", n[i]);
    finite += n[i];
    if (bin % BINS_PER_SIGN === 0) roomForZeros += n[i];
  }
  if (finite !== data.finite) refuse("finite", `${finite}, the sum of n`, data.finite);
  if (data.zeros > roomForZeros) {
    refuse("zeros", `at most ${roomForZeros}, the elements of bins 0 and 65536`, data.zeros);
  }
}

function checkExtremes(data: HistogramData): void {
  const { finite, zeros, min, max, bins } = data;
  if (finite === 0) {
    if (!Number.isNaN(min)) refuse("min", "NaN, for nothing is finite", min);
    if (!Number.isNaN(max)) refuse("max", "NaN, for nothing is finite", max);
    return;
  }
  for (const [field, value] of [["min", min], ["max", max]] as const) {
    if (!Number.isFinite(value) || Math.fround(value) !== value) {
      refuse(field, "a finite float32 value", value);
    }
    if (value === 0) {
      if (zeros === 0) refuse(field, "not 0, for zeros is 0", value);
    } else if (!bins.includes(binNumber(value))) {
      refuse(field, "a value in one of the bins", value);
    }
  }
  if (min > max) refuse("min", `at most ${max}, which is max`, min);
}

function refuse(field: string, wanted: string, found: number): never {
  throw new RangeError(`Cannot add histogram data: ${field} must be ${wanted}, found ${found}`);
}
