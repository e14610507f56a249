/**
 * Sums of float64 numbers without any rounding, so that neither their order nor how they were split over parts matters.
 *
 * @module
 */

/** Bits of the fraction of a float64 that are stored. */
const FRACTION_BITS = 52n;
/** The least float64 above 0 is 2 to this power: the unit of all sums. */
const UNIT = -1074;

const view = new DataView(new ArrayBuffer(8));

/** A number as an integer in units of 2^-1074, exactly. */
function toUnits(value: number): bigint {
  if (!Number.isFinite(value)) throw new RangeError(`Cannot add ${value} exactly`);
  view.setFloat64(0, Math.abs(value));
  const bits = view.getBigUint64(0);
  const exponent = bits >> FRACTION_BITS;
  const fraction = bits & ((1n << FRACTION_BITS) - 1n);
  const magnitude = exponent === 0n
    ? fraction
    : (fraction | (1n << FRACTION_BITS)) << (exponent - 1n);
  return value < 0 ? -magnitude : magnitude;
}

/**
 * A sum that grows.
 *
 * @example The order doesn't matter, whatever cancels
 * ```ts
 * import { ExactSum } from "./exact_sum.ts";
 * import assert from "node:assert/strict";
 *
 * const sum = new ExactSum();
 * for (const value of [1e300, 1, -1e300]) sum.add(value);
 * assert.equal(sum.value(), 1);
 * assert.equal(ExactSum.parse(String(sum)).value(), 1);
 * ```
 */
export class ExactSum {
  #units = 0n;

  /** A sum from what {@linkcode ExactSum.toString} gave. Throws SyntaxError for anything else. */
  static parse(text: string): ExactSum {
    const sum = new ExactSum();
    const isNegative = text.startsWith("-");
    const magnitude = BigInt(`0x${isNegative ? text.slice(1) : text}`);
    sum.#units = isNegative ? -magnitude : magnitude;
    return sum;
  }

  /** The sum of sums. */
  static of(sums: readonly ExactSum[]): ExactSum {
    const total = new ExactSum();
    for (const sum of sums) total.#units += sum.#units;
    return total;
  }

  /** Adds a number. Throws RangeError for one that isn't finite. */
  add(value: number): void {
    if (value !== 0) this.#units += toUnits(value);
  }

  /** The float64 nearest to the sum, of two the even one; infinite where there is none. */
  value(): number {
    const magnitude = this.#units < 0n ? -this.#units : this.#units;
    // Number() rounds once, so what is scaled afterwards must have 53 bits already, and nothing below the unit.
    const excess = Math.max(0, 4 * magnitude.toString(16).length - 64);
    const kept = magnitude >> BigInt(excess);
    // Whether anything was cut off decides ties: it stays as a last bit, far below the 53 that count.
    const isCut = kept << BigInt(excess) !== magnitude;
    const rounded = Number(isCut ? kept | 1n : kept);
    const value = scaled(rounded, UNIT + excess);
    return this.#units < 0n ? -value : value;
  }

  /** Exact, as hexadecimal digits in units of 2^-1074. */
  toString(): string {
    return this.#units.toString(16);
  }
}

/** x · 2^power in two steps, since 2^-1074 · 2^64 and the like are no numbers in one; x has 53 bits at most. */
function scaled(x: number, power: number): number {
  const half = Math.trunc(power / 2);
  return x * 2 ** half * 2 ** (power - half);
}
