/** Exact arithmetic by the definition: every float32 as a whole number of 2^-149. */

/** x · 2^149, an integer for every finite float32. */
export function fixed(x: number): bigint {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0];
  const exponent = bits >>> 23 & 255;
  const mantissa = BigInt(bits & 0x7fffff) | (exponent === 0 ? 0n : 0x800000n);
  const magnitude = mantissa << BigInt(Math.max(exponent, 1) - 1);
  return bits >>> 31 ? -magnitude : magnitude;
}

/** Exponent of the unit of {@linkcode fixed}. */
export const FIXED_EXPONENT = -149;

/**
 * Σ(Q(x) − x)² and Σ|Q(x) − x| over elements in units of 2^(2·exponent) and 2^exponent, one element after
 * the other: the definition, nothing clever. Threshold 2^log2t; exponent = FIXED_EXPONENT − 20, fine enough for every grid.
 */
export function naiveErrors(
  values: Iterable<number>,
  log2t: number,
  bits: number,
  signed: boolean,
) {
  const exponent = FIXED_EXPONENT - 20;
  const levels = 1n << BigInt(signed ? bits - 1 : bits);
  const step = 1n << BigInt(log2t - (signed ? bits - 1 : bits) - exponent);
  let squared = 0n;
  let absolute = 0n;
  for (const value of values) {
    const x = fixed(value) << 20n;
    // Round half away from zero; a tie has the same error whichever way it goes.
    const magnitude = x < 0n ? -x : x;
    let code = (2n * magnitude + step) / (2n * step);
    if (x < 0n) code = -code;
    if (code > levels - 1n) code = levels - 1n;
    if (code < (signed ? -levels : 0n)) code = signed ? -levels : 0n;
    const difference = code * step - x;
    squared += difference * difference;
    absolute += difference < 0n ? -difference : difference;
  }
  return {
    squared: { value: squared, exponent: 2 * exponent },
    absolute: { value: absolute, exponent },
  };
}
