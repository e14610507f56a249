/**
 * One tensor as the search sees it: its histogram, prepared for fast and for exact sums when needed.
 *
 * @module
 */
import type { HistogramData } from "../../wasm/mod.ts";
import { type ExactHistogram, exactHistogram } from "./exact_histogram.ts";
import { type ValueBins, valueBins } from "./value_bins.ts";

/** A histogram with its prepared forms, made at first use. */
export class TensorView {
  /** The histogram itself. */
  readonly data: HistogramData;
  #bins?: ValueBins;
  #exact?: ExactHistogram;

  /** Does no work yet. */
  constructor(data: HistogramData) {
    this.data = data;
  }

  /** Bins by value, for estimates and bounds of any grid. */
  get bins(): ValueBins {
    return this.#bins ??= valueBins(this.data);
  }

  /** Octaves in big integers, for exact errors of power-of-two grids. */
  get exact(): ExactHistogram {
    return this.#exact ??= exactHistogram(this.data);
  }

  /** Largest magnitude; 0 when there is none. */
  get magnitude(): number {
    return this.data.finite === 0 ? 0 : Math.max(-this.data.min, this.data.max);
  }
}
