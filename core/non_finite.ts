/**
 * Where numbers stop being numbers.
 *
 * @module
 */

/**
 * Position of the first NaN or infinity from `start` on, or −1.
 *
 * @example
 * ```ts
 * import { nonFiniteFrom } from "./non_finite.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(nonFiniteFrom(Float32Array.of(1, NaN, Infinity), 0), 1);
 * assert.equal(nonFiniteFrom(Float32Array.of(1, NaN, Infinity), 2), 2);
 * assert.equal(nonFiniteFrom(Float32Array.of(1, 2), 0), -1);
 * ```
 */
export function nonFiniteFrom(data: Float32Array, start: number): number {
  for (let i = start; i < data.length; i++) if (data[i] - data[i] !== 0) return i;
  return -1;
}
