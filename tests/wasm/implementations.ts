import {
  createDirectErrorsCore,
  createHistogramCore,
  createNaiveDirectErrorsCore,
  createNaiveHistogramCore,
  type DirectErrorsCore,
  type HistogramCore,
} from "../../wasm/mod.ts";

/** Every implementation; the tests of this folder run over all of them. A new one costs one line. */
export const IMPLEMENTATIONS: readonly HistogramCore[] = [
  await createHistogramCore({ simd: true }),
  await createHistogramCore({ simd: false }),
  createNaiveHistogramCore(),
];

/** Those that must agree with the oracle. */
export const FAST_IMPLEMENTATIONS = IMPLEMENTATIONS.filter(({ name }) => name !== "naive");

/** The same for the errors over elements. */
export const DIRECT_IMPLEMENTATIONS: readonly DirectErrorsCore[] = [
  await createDirectErrorsCore({ simd: true }),
  await createDirectErrorsCore({ simd: false }),
  createNaiveDirectErrorsCore(),
];
