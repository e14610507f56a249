/**
 * Powers of ten in text.
 *
 * @module
 */

/** Digits of an exponent, as of 10³. */
export function superscript(power: number): string {
  return [...String(power)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("");
}
