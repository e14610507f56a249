/** Histograms of arrays. */
import { createHistogramCore, type HistogramData } from "../../wasm/mod.ts";

const core = await createHistogramCore();

/** The histogram of some values. */
export function observe(values: Float32Array): HistogramData {
  const accumulator = core.create();
  accumulator.observe(values);
  return accumulator.data();
}
