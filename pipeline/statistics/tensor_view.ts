/**
 * One tensor as the search sees it: its histogram, prepared for fast and for exact sums when needed.
 *
 * @module
 */
import type { HistogramData } from "../../wasm/mod.ts";
import { type ExactHistogram, exactHistogram } from "./exact_histogram.ts";
import {
  powerOfTwoErrors,
  type PowerOfTwoQuantizer,
  type ThresholdErrors,
} from "./power_of_two_errors.ts";
import { type ValueBins, valueBins } from "./value_bins.ts";

const views = new WeakMap<HistogramData, TensorView>();

/** The view of a histogram: the same one each time, so that several searches prepare it once. */
export function viewOf(data: HistogramData): TensorView {
  let view = views.get(data);
  if (view === undefined) views.set(data, view = new TensorView(data));
  return view;
}

/** A histogram with its prepared forms, made at first use and kept: see {@linkcode viewOf}. */
export class TensorView {
  /** The histogram itself. */
  readonly data: HistogramData;
  #bins?: ValueBins;
  #exact?: ExactHistogram;
  readonly #powerOfTwo = new Map<string, ThresholdErrors>();

  /** Does no work yet. */
  constructor(data: HistogramData) {
    this.data = data;
  }

  /** Bins by value, for estimates and bounds of any grid. */
  get bins(): ValueBins {
    return this.#bins ??= valueBins(this.data);
  }

  /** Octaves, for exact sums. */
  get exact(): ExactHistogram {
    return this.#exact ??= exactHistogram(this.data);
  }

  /** Exact errors of a power-of-two quantizer: MSE, MAE and every report ask for the same ones. */
  powerOfTwoErrors(quantizer: PowerOfTwoQuantizer): ThresholdErrors {
    const key = `${quantizer.exponent} ${quantizer.bits} ${quantizer.signed}`;
    let errors = this.#powerOfTwo.get(key);
    if (errors === undefined) {
      this.#powerOfTwo.set(key, errors = powerOfTwoErrors(this.exact, quantizer));
    }
    return errors;
  }

  /** Largest magnitude; 0 when there is none. */
  get magnitude(): number {
    return this.data.finite === 0 ? 0 : Math.max(-this.data.min, this.data.max);
  }
}
