import { createNaiveHistogramCore, type HistogramData } from "../../wasm/mod.ts";

const naive = createNaiveHistogramCore();

/** The statistics of all elements of `parts`, by the naive implementation. */
export function oracle(...parts: readonly Float32Array[]): HistogramData {
  const accumulator = naive.create();
  for (const part of parts) accumulator.observe(part);
  return accumulator.data();
}
