/**
 * Exact arithmetic on dyadic rationals: integers times a power of two. Every float32, and every sum
 * and product of them, is one.
 *
 * @module
 */

/** The number `value` · 2^`exponent`. */
export interface Dyadic {
  readonly value: bigint;
  readonly exponent: number;
}

/** Zero. */
export const ZERO: Dyadic = { value: 0n, exponent: 0 };

/** Sum of two dyadics. */
export function addDyadic(a: Dyadic, b: Dyadic): Dyadic {
  if (a.value === 0n) return b;
  if (b.value === 0n) return a;
  const exponent = Math.min(a.exponent, b.exponent);
  return { value: align(a, exponent) + align(b, exponent), exponent };
}

/** Negative, zero or positive as `a` is smaller than, equal to or greater than `b`. */
export function compareDyadic(a: Dyadic, b: Dyadic): number {
  const exponent = Math.min(a.exponent, b.exponent);
  const difference = align(a, exponent) - align(b, exponent);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function align({ value, exponent }: Dyadic, to: number): bigint {
  return value << BigInt(exponent - to);
}

/** Bits of a float64 significand. */
const SIGNIFICAND_BITS = 53;
/** Exponent of the smallest positive float64. */
const MIN_EXPONENT = -1074;

/**
 * `dividend` / `divisor` as the nearest float64, ties to even: the one number that a correct
 * computation of any precision rounds to.
 *
 * @param divisor A positive integer.
 *
 * @example
 * ```ts
 * import { divideDyadic } from "./dyadic.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(divideDyadic({ value: 1n, exponent: -1 }, 3n), 1 / 6);
 * ```
 */
export function divideDyadic({ value, exponent }: Dyadic, divisor: bigint): number {
  if (value === 0n) return 0;
  const isNegative = value < 0n;
  const magnitude = isNegative ? -value : value;
  // Choose a shift that leaves a quotient of at least 54 bits, then round by hand once.
  const shift = Math.max(0, SIGNIFICAND_BITS + 2 + bitLength(divisor) - bitLength(magnitude));
  const dividend = magnitude << BigInt(shift);
  const quotient = dividend / divisor;
  const isInexact = dividend % divisor !== 0n;
  const scale = exponent - shift;
  const length = bitLength(quotient);
  // Subnormal results have fewer bits to keep.
  const drop = Math.max(length - SIGNIFICAND_BITS, MIN_EXPONENT - scale, 0);
  const kept = quotient >> BigInt(drop);
  const rest = quotient - (kept << BigInt(drop));
  const half = drop === 0 ? 1n : 1n << BigInt(drop - 1);
  const isUp = drop > 0 && (rest > half || rest === half && (isInexact || (kept & 1n) === 1n));
  const rounded = Number(isUp ? kept + 1n : kept);
  // Two factors, since 2^(scale + drop) alone may be out of float64's range.
  const power = scale + drop;
  const half0 = Math.trunc(power / 2);
  const result = rounded * 2 ** half0 * 2 ** (power - half0);
  return isNegative ? -result : result;
}

/** The nearest float64, ties to even. */
export function toNumber(dyadic: Dyadic): number {
  return divideDyadic(dyadic, 1n);
}

/** Number of bits of a positive integer. */
function bitLength(value: bigint): number {
  const digits = value.toString(16);
  return value === 0n ? 0 : 4 * digits.length - Math.clz32(parseInt(digits[0], 16)) + 28;
}
