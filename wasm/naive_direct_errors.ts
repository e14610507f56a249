/**
 * The errors over elements in one obvious loop of bigints, rounded once, at the end. Slow, and the truth in tests.
 *
 * This module is browser compatible.
 *
 * @module
 */
import { checkGrids, checkTotal, checkValues } from "./checks.ts";
import type { DirectErrors, DirectErrorsCore, DirectGrid } from "./direct_errors.ts";

interface Sums {
  /** In units of 2^-149, as all that follows; every float32 is an integer of them. */
  readonly step: bigint;
  readonly low: bigint;
  readonly high: bigint;
  absolute: bigint;
  /** In units of 2^-298. */
  squared: bigint;
}

/**
 * The oracle, with the interface of the others.
 *
 * @example Usage
 * ```ts
 * import { createNaiveDirectErrorsCore } from "./naive_direct_errors.ts";
 * import assert from "node:assert/strict";
 *
 * const errors = createNaiveDirectErrorsCore().create([{ step: 1, low: -1, high: 1 }]);
 * errors.observe(new Float32Array([0.25, -3, Infinity]));
 * assert.deepEqual(errors.results(), [{ squared: 4.0625, absolute: 2.25 }]);
 * assert.equal(errors.count, 2);
 * ```
 */
export function createNaiveDirectErrorsCore(): DirectErrorsCore {
  return { name: "naive", create: (grids) => new NaiveDirectErrors(grids) };
}

class NaiveDirectErrors implements DirectErrors {
  readonly #sums: readonly Sums[];
  #count = 0;
  /** Elements of all kinds. */
  #observed = 0;

  constructor(grids: readonly DirectGrid[]) {
    checkGrids(grids);
    this.#sums = grids.map(({ step, low, high }) => ({
      step: toUnits(step),
      low: BigInt(low) * toUnits(step),
      high: BigInt(high) * toUnits(step),
      absolute: 0n,
      squared: 0n,
    }));
  }

  get count(): number {
    return this.#count;
  }

  observe(values: Float32Array): void {
    checkValues(values);
    checkTotal(`observe ${values.length} elements`, this.#observed, values.length);
    this.#observed += values.length;
    for (const value of values) {
      if (!Number.isFinite(value)) continue;
      this.#count += 1;
      const x = toUnits(value);
      for (const sums of this.#sums) {
        const error = errorOf(x, sums);
        sums.absolute += error;
        sums.squared += error * error;
      }
    }
  }

  results(): { readonly squared: number; readonly absolute: number }[] {
    // Number() rounds; the products do not, for both factors are far from the ends of float64.
    return this.#sums.map(({ squared, absolute }) => ({
      squared: Number(squared) * 2 ** -298,
      absolute: Number(absolute) * 2 ** -149,
    }));
  }

  clear(): void {
    [this.#count, this.#observed] = [0, 0];
    for (const sums of this.#sums) [sums.absolute, sums.squared] = [0n, 0n];
  }
}

/** Distance of x from the nearest level. */
function errorOf(x: bigint, { step, low, high }: Sums): bigint {
  if (x <= low) return low - x;
  if (x >= high) return x - high;
  const magnitude = x < 0n ? -x : x;
  const above = magnitude % step;
  return above + above < step ? above : step - above;
}

/** A float32 as an integer, in units of 2^-149. */
function toUnits(x: number): bigint {
  // In steps, since 2^149 · 2^128 is no number. Both factors are powers of two: nothing is rounded.
  return Math.abs(x) < 1 ? BigInt(x * 2 ** 149) : BigInt(x * 2 ** 23) * 2n ** 126n;
}
