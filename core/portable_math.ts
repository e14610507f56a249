/**
 * Logarithms and powers with the same bits everywhere.
 *
 * ECMAScript leaves `Math.log`, `exp`, `pow` and their like to the implementation, and V8 changes them: of random
 * arguments Deno 2.9, Node 20 and Chromium 156 gave three different sets of last bits. A search that compares errors
 * then chooses otherwise, and a manifest of one host isn't that of another. These functions use nothing but +, −, ×, ÷,
 * which IEEE 754 defines to the last bit. They are within 2 ulp of the true value (tests compare them with 80 digits).
 *
 * @module
 */

/** ln 2 in two parts: products of the first one with exponents are exact (fdlibm, `e_log.c`). */
const [LN2_HIGH, LN2_LOW] = [6.93147180369123816490e-1, 1.90821492927058770002e-10];
/** 1 / ln 2 and 1 / ln 10. */
const [LOG2_E, LOG10_E] = [1.4426950408889634, 0.4342944819032518];
const SQRT_HALF = 0.7071067811865476;

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);
/** Which word has sign and exponent. */
const HIGH = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** Exponent of the last number that {@linkcode mantissa} took apart. */
let exponent = 0;

/** m of x = m·2^e with √½ ≤ m < √2; e is left in {@linkcode exponent}. x is finite and above 0. */
function mantissa(x: number): number {
  exponent = 0;
  if (x < 2.2250738585072014e-308) {
    x *= 18014398509481984;
    exponent = -54;
  }
  float[0] = x;
  exponent += (words[HIGH] >>> 20) - 1022;
  words[HIGH] = words[HIGH] & 0xfffff | 0x3fe00000;
  const [m] = float;
  if (m >= SQRT_HALF) return m;
  exponent--;
  return 2 * m;
}

/**
 * ln m for √½ ≤ m < √2 by s = f/(2 + f), f = m − 1: ln m = 2s + s·R(s²), R a polynomial whose error is below 2^−58
 * (fdlibm, `e_log.c`).
 */
function lnOfMantissa(m: number): number {
  const f = m - 1;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const even = w * (0.3999999999940942 + w * (0.22222198432149784 + w * 0.15313837699209373));
  const odd = z * (0.6666666666666735 +
    w * (0.2857142874366239 + w * (0.1818357216161805 + w * 0.14798198605116586)));
  const half = 0.5 * f * f;
  return f - (half - s * (half + even + odd));
}

/**
 * Natural logarithm. NaN below 0, −∞ at 0.
 *
 * @example
 * ```ts
 * import { ln } from "./portable_math.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(ln(1), 0);
 * assert.equal(ln(10), 2.302585092994046);
 * ```
 */
export function ln(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return x;
  const m = lnOfMantissa(mantissa(x));
  return exponent * LN2_HIGH + (exponent * LN2_LOW + m);
}

/** For each 256th of 1 … 2 the inverse of its middle, and minus the logarithm of that: tables of {@linkcode quickLn}. */
const INVERSES = Float64Array.from({ length: 256 }, (_, i) => 512 / (513 + 2 * i));
const LOGARITHMS = INVERSES.map((inverse) => -ln(inverse));

/**
 * Natural logarithm of a normal number above 0, off by at most 10⁻¹⁵ or two ulp, whichever is more, in a third of the time
 * of {@linkcode ln}: for sums of thousands.
 *
 * @example
 * ```ts
 * import { quickLn } from "./portable_math.ts";
 * import assert from "node:assert/strict";
 *
 * assert.ok(Math.abs(quickLn(10) - 2.302585092994046) < 1e-15);
 * ```
 */
export function quickLn(x: number): number {
  float[0] = x;
  const high = words[HIGH];
  words[HIGH] = high & 0xfffff | 0x3ff00000;
  const at = high >>> 12 & 255;
  // x = 2^e · middle · (1 + r), |r| up to 2^−9.
  const r = float[0] * INVERSES[at] - 1;
  const series = r * (1 - r * (1 / 2 - r * (1 / 3 - r * (1 / 4 - r * (1 / 5 - r / 6)))));
  const e = (high >>> 20) - 1023;
  return e * LN2_HIGH + (e * LN2_LOW + LOGARITHMS[at] + series);
}

/** Logarithm to base 2; exact for powers of two. */
export function log2(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return x;
  const m = lnOfMantissa(mantissa(x));
  return exponent + m * LOG2_E;
}

/** 10·log10(x), the decibels of a ratio of powers. */
export function decibels(ratio: number): number {
  return 10 * (ln(ratio) * LOG10_E);
}

/** e^x. */
export function exp(x: number): number {
  if (!(x < 709.79)) return x > 0 ? Infinity : NaN;
  if (x < -745.2) return 0;
  const k = Math.round(x * LOG2_E);
  return scale(expOfRest(x - k * LN2_HIGH - k * LN2_LOW), k);
}

/** 2^x; exact for integers. */
export function exp2(x: number): number {
  if (!(x < 1024)) return x > 0 ? Infinity : NaN;
  if (x < -1075) return 0;
  const k = Math.round(x);
  return scale(expOfRest((x - k) * (LN2_HIGH + LN2_LOW)), k);
}

/** e^r for |r| up to ½·ln 2 and a little: its Taylor series, whose rest is below 10⁻¹⁷. */
function expOfRest(r: number): number {
  let sum = 1 / 6227020800;
  for (const factor of INVERSE_FACTORIALS) sum = sum * r + factor;
  return 1 + r * sum;
}
/** 1/12! to 1/1!. */
const INVERSE_FACTORIALS = [
  ...[1 / 479001600, 1 / 39916800, 1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040],
  ...[1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1],
];

/** x·2^k, rounded once where it is subnormal. 2 to an integer is exact in every engine (a test looks). */
function scale(x: number, k: number): number {
  return k > 1000
    ? x * 2 ** 1000 * 2 ** (k - 1000)
    : k < -1000
    ? x * 2 ** (k + 1000) * 2 ** -1000
    : x * 2 ** k;
}

/** Parts of an exponent that keep its product with the exponent of a number exact. */
const SPLIT = 2 ** 20;

/**
 * x^p for x ≥ 0 and p ≥ 0: by multiplication as far as p is an integer, the rest by logarithms.
 *
 * @example
 * ```ts
 * import { power } from "./portable_math.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(power(3, 4), 81);
 * assert.equal(power(4, 2.5), 32);
 * ```
 */
export function power(x: number, p: number): number {
  const whole = Math.floor(p);
  let product = 1;
  for (let rest = whole, square = x; rest > 0; rest = Math.floor(rest / 2), square *= square) {
    if (rest % 2 === 1) product *= square;
  }
  const part = p - whole;
  if (part === 0 || x === 0 || x === Infinity) return product;
  // The square root is IEEE 754's, too.
  if (part === 0.5) return product * Math.sqrt(x);
  const log = lnOfMantissa(mantissa(x)) * LOG2_E;
  const coarse = Math.round(part * SPLIT) / SPLIT;
  const exact = exponent * coarse;
  const k = Math.round(exact);
  return product * scale(exp2((exact - k) + (exponent * (part - coarse) + log * part)), k);
}
