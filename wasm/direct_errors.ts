/**
 * Errors of given grids, summed over the elements themselves: the vocabulary, and the implementation in WebAssembly,
 * host side.
 *
 * The histogram gives the errors of all grids from one pass, some of them between bounds. This takes a pass for a
 * list of grids and gives their true errors; it proves the others, and decides where they are too close.
 *
 * This module is browser compatible.
 *
 * @module
 */
import { checkGrids, checkTotal, checkValues } from "./checks.ts";
import type { CoreOptions, DirectErrorsExports, Handle } from "./instance.ts";
import { instantiate, noMemoryError } from "./instance.ts";

/** Levels k·step for integers k from low to high, both included. */
export interface DirectGrid {
  /** In units of the tensor: a normal float32 above 0. */
  readonly step: number;
  /** Integer, -65536 to 0. */
  readonly low: number;
  /** Integer, 0 to 65536, more than `low`. */
  readonly high: number;
}

/**
 * Errors that grow, over Q(x) − x for each finite element x and each grid. Q(x) is the level nearest to x.
 *
 * Sums are within 1e-12 of the truth, relatively, for any elements; `assembly/direct_errors.ts` has the proof.
 * Within that they depend on the order of elements and on how they were split over calls.
 */
export interface DirectErrors {
  /** Finite elements so far. Integer. */
  readonly count: number;

  /**
   * Adds the errors of all elements; those that are not finite are skipped.
   *
   * @throws {TypeError} When `values` is no Float32Array.
   * @throws {RangeError} When there would be more than 2^53 - 1 elements. Nothing has changed then.
   */
  observe(values: Float32Array): void;

  /** Σ (Q(x) − x)² and Σ |Q(x) − x| so far, one entry for each grid, in the order given. Observing may go on. */
  results(): { readonly squared: number; readonly absolute: number }[];

  /** Forgets what was seen; the grids stay. */
  clear(): void;
}

/** A source of sums of errors. One that uses WebAssembly keeps all of them in one instance. */
export interface DirectErrorsCore {
  /** Which implementation this is. `naive` is the truth; the others keep within 1e-12 of it. */
  readonly name: "simd" | "scalar" | "naive";

  /**
   * Sums for these grids that have seen nothing.
   *
   * @throws {TypeError | RangeError} When a grid is not as {@linkcode DirectGrid} wants it, there are more than 65536,
   * or the host has no memory.
   */
  create(grids: readonly DirectGrid[]): DirectErrors;
}

/**
 * Loads the numeric core once more, for errors over elements. Memory is given back when the core and all that it
 * has created are garbage.
 *
 * Memory: as that of `createHistogramCore()`, but 64 bytes for each grid and nothing for each tensor.
 *
 * @example Usage
 * ```ts
 * import { createDirectErrorsCore } from "./direct_errors.ts";
 * import assert from "node:assert/strict";
 *
 * const core = await createDirectErrorsCore();
 * const errors = core.create([{ step: 0.5, low: -2, high: 1 }, { step: 1, low: 0, high: 3 }]);
 * errors.observe(new Float32Array([-1, 0.25, 1, NaN]));
 * assert.deepEqual(errors.results(), [
 *   { squared: 0.3125, absolute: 0.75 },
 *   { squared: 1.0625, absolute: 1.25 },
 * ]);
 * assert.equal(errors.count, 3);
 * ```
 *
 * @throws {TypeError} When `simd` and `module` contradict each other.
 * @throws {WebAssembly.CompileError} When `simd` is `true` and the engine has none.
 */
export async function createDirectErrorsCore(options: CoreOptions = {}): Promise<DirectErrorsCore> {
  const exports = await instantiate("direct errors core", options);
  return {
    name: exports.SIMD.value === 1 ? "simd" : "scalar",
    create: (grids) => new WasmDirectErrors(exports, grids),
  };
}

class WasmDirectErrors implements DirectErrors {
  readonly #wasm: DirectErrorsExports;
  readonly #handle: Handle;
  readonly #grids: number;
  /** Elements of all kinds. */
  #observed = 0;

  constructor(wasm: DirectErrorsExports, grids: readonly DirectGrid[]) {
    checkGrids(grids);
    this.#wasm = wasm;
    this.#grids = grids.length;
    this.#handle = wasm.createDirectErrors(grids.length);
    if (this.#handle === 0) throw noMemoryError("create direct errors", wasm);
    grids.forEach(({ step, low, high }, i) => wasm.setGrid(this.#handle, i, step, low, high));
  }

  get count(): number {
    return this.#wasm.countDirectly(this.#handle);
  }

  observe(values: Float32Array): void {
    checkValues(values);
    checkTotal(`observe ${values.length} elements`, this.#observed, values.length);
    this.#observed += values.length;

    // Another create() may have grown memory since the last call, so the view is made anew.
    const wasm = this.#wasm;
    const capacity = wasm.INPUT_LENGTH.value;
    const input = new Float32Array(wasm.memory.buffer, wasm.INPUT.value, capacity);
    for (let start = 0; start < values.length; start += capacity) {
      const chunk = values.subarray(start, start + capacity);
      input.set(chunk);
      wasm.observeDirectly(this.#handle, chunk.length);
    }
  }

  results(): { readonly squared: number; readonly absolute: number }[] {
    return Array.from({ length: this.#grids }, (_, i) => ({
      squared: this.#wasm.squaredError(this.#handle, i),
      absolute: this.#wasm.absoluteError(this.#handle, i),
    }));
  }

  clear(): void {
    this.#observed = 0;
    this.#wasm.clearDirectly(this.#handle);
  }
}
