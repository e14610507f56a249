/**
 * Exact statistics of float32 tensors: a histogram whose every sum is an integer, so that the result does not
 * depend on order, batches or workers. Beside it the errors of given grids, summed over the elements themselves,
 * which prove what is computed from the histogram.
 *
 * @example Usage
 * ```ts
 * import { createHistogramCore } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * const core = await createHistogramCore();
 * const [whole, half] = [core.create(), core.create()];
 * whole.observe(new Float32Array([1, 2, 3, 4]));
 * half.observe(new Float32Array([4, 3]));
 * const merged = core.create();
 * merged.observe(new Float32Array([2, 1]));
 * merged.add(half.data());
 * assert.deepEqual(merged.data(), whole.data());
 * ```
 *
 * This module is browser compatible.
 *
 * @module
 */
export {
  BIN_COUNT,
  BIN_WIDTH_ULPS,
  binBase,
  binLowerEdge,
  binNumber,
  BINS_PER_OCTAVE,
  BINS_PER_SIGN,
  binSign,
  binUlpExponent,
  binUpperEdge,
  isFiniteBin,
} from "./bins.ts";
export { checkHistogramData } from "./checks.ts";
export { createHistogramCore } from "./core.ts";
export {
  createDirectErrorsCore,
  type DirectErrors,
  type DirectErrorsCore,
  type DirectGrid,
} from "./direct_errors.ts";
export {
  type Accumulator,
  emptyHistogram,
  type HistogramCore,
  type HistogramData,
} from "./histogram.ts";
export type { CoreOptions } from "./instance.ts";
export { createNaiveHistogramCore } from "./naive.ts";
export { createRunSums, type RunSums, sumRuns } from "./run_sums.ts";
export { createNaiveDirectErrorsCore } from "./naive_direct_errors.ts";
export { supplyWasm, type WasmModules } from "./supply.ts";
