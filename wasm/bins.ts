/**
 * The bins of the exact histogram: the one place for their formula.
 *
 * A float32 is sign (1 bit), exponent e (8), mantissa m (23). Its bin is the upper 17 bits: sign, e and the
 * upper 8 bits k of m. So each octave [2^j, 2^(j+1)) of each sign is cut into 256 bins of equal
 * width, and every edge is a dyadic number. The lower 15 bits r = m & 0x7fff are the place in the bin:
 *
 *     x = ±ulp · (base + r)      ulp = 2^(max(e, 1) - 150)
 *                                base = 2^23 + k·2^15, or k·2^15 when e = 0
 *
 * Bins are numbered from 0 to {@linkcode BIN_COUNT} - 1. Up to 65279 the numbers ascend with the positive
 * values; from 65536 to 130815 they descend with the negative ones. The numbers between and above have
 * e = 255: NaN and the infinities, which no histogram puts in bins.
 *
 * This module is browser compatible.
 *
 * @module
 */

/** Count of bin numbers, those of NaN and the infinities included: 2^17. */
export const BIN_COUNT = 131072;

/** Bins of one sign, and the number of the first negative bin: 2^16. */
export const BINS_PER_SIGN = 65536;

/** Bins between a power of two and the next: 2^8. */
export const BINS_PER_OCTAVE = 256;

/** Values r of a bin, which is its width in ulps: 2^15. */
export const BIN_WIDTH_ULPS = 32768;

const bits = new DataView(new ArrayBuffer(4));

/**
 * Number of the bin that a value falls in.
 *
 * @example Usage
 * ```ts
 * import { binNumber } from "./bins.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(binNumber(1), 127 * 256);
 * assert.equal(binNumber(-1), 65536 + 127 * 256);
 * assert.equal(binNumber(1 + 1 / 256), binNumber(1) + 1);
 * ```
 *
 * @param x A float32 value. Another number is rounded to one first.
 * @returns Bin number, 0 to 131071.
 */
export function binNumber(x: number): number {
  bits.setFloat32(0, x);
  return bits.getUint32(0) >>> 15;
}

/**
 * Whether a number is one of the bins of finite values.
 *
 * @example Usage
 * ```ts
 * import { binNumber, isFiniteBin } from "./bins.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(isFiniteBin(binNumber(3.4e38)), true);
 * assert.equal(isFiniteBin(binNumber(Infinity)), false);
 * ```
 *
 * @param bin Any number.
 */
export function isFiniteBin(bin: number): boolean {
  return Number.isInteger(bin) && bin >= 0 && bin < BIN_COUNT && ((bin >>> 8) & 255) !== 255;
}

/**
 * Sign of the values in a bin. Bin 0 holds +0 and bin 65536 holds -0.
 *
 * @example Usage
 * ```ts
 * import { binNumber, binSign } from "./bins.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(binSign(binNumber(0.5)), 1);
 * assert.equal(binSign(binNumber(-0.5)), -1);
 * ```
 *
 * @param bin Number of a finite bin.
 */
export function binSign(bin: number): 1 | -1 {
  return bin >>> 16 === 0 ? 1 : -1;
}

/**
 * Magnitude of the value with r = 0, in ulps of the bin.
 *
 * @example Usage
 * ```ts
 * import { binBase, binNumber } from "./bins.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(binBase(binNumber(1.5)), 1.5 * 2 ** 23);
 * assert.equal(binBase(binNumber(0)), 0);
 * ```
 *
 * @param bin Number of a finite bin.
 * @returns Integer, a multiple of 2^15, 0 to 2^24 - 2^15.
 */
export function binBase(bin: number): number {
  const fraction = (bin & 255) * BIN_WIDTH_ULPS;
  return binExponent(bin) === 0 ? fraction : 0x80_0000 + fraction;
}

/**
 * Exponent of the bin's ulp, the distance between neighbouring float32 values in it: ulp = 2^exponent.
 *
 * @example Usage
 * ```ts
 * import { binBase, binNumber, binUlpExponent } from "./bins.ts";
 * import assert from "node:assert/strict";
 *
 * const bin = binNumber(6);
 * assert.equal(binUlpExponent(bin), -21);
 * assert.equal(binBase(bin) * 2 ** binUlpExponent(bin), 6);
 * ```
 *
 * @param bin Number of a finite bin.
 * @returns Integer, -149 to 104.
 */
export function binUlpExponent(bin: number): number {
  return Math.max(binExponent(bin), 1) - 150;
}

/**
 * Infimum of a bin. A positive bin holds its lower edge; a negative one ends just above it.
 *
 * @example Usage
 * ```ts
 * import { binLowerEdge, binNumber } from "./bins.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(binLowerEdge(binNumber(1)), 1);
 * assert.equal(binLowerEdge(binNumber(-1)), -1 - 1 / 256);
 * ```
 *
 * @param bin Number of a finite bin.
 * @returns Exact; a float32 value, or -2^128 for the lowest bin.
 */
export function binLowerEdge(bin: number): number {
  return binSign(bin) === 1 ? innerEdge(bin) : -outerEdge(bin);
}

/**
 * Supremum of a bin. A negative bin holds its upper edge; a positive one ends just below it.
 *
 * @example Usage
 * ```ts
 * import { binNumber, binUpperEdge } from "./bins.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(binUpperEdge(binNumber(1)), 1 + 1 / 256);
 * assert.equal(binUpperEdge(binNumber(-1)), -1);
 * ```
 *
 * @param bin Number of a finite bin.
 * @returns Exact; a float32 value, or 2^128 for the highest bin. Never -0.
 */
export function binUpperEdge(bin: number): number {
  return binSign(bin) === 1 ? outerEdge(bin) : 0 - innerEdge(bin);
}

function binExponent(bin: number): number {
  return (bin >>> 8) & 255;
}

/** The edge next to zero, without sign. */
function innerEdge(bin: number): number {
  return binBase(bin) * 2 ** binUlpExponent(bin);
}

/** The edge away from zero, without sign. */
function outerEdge(bin: number): number {
  return (binBase(bin) + BIN_WIDTH_ULPS) * 2 ** binUlpExponent(bin);
}
