/**
 * Statistics of a calibration run: what the search needs, and nothing of how the work was cut.
 *
 * @module
 */
import type { GraphOutline } from "../../tpc/onnx/outline.ts";
import type { HistogramData } from "../../wasm/mod.ts";

/** Statistics of one watched tensor. */
export interface TensorStatistics {
  /** Name of the tensor in the model. */
  readonly tensor: string;
  /** Shape for one sample, batch axis included as 1; null where it varied between samples. */
  readonly shape: readonly (number | null)[];
  /** Every finite value that the tensor had, binned exactly. */
  readonly histogram: HistogramData;
  /** The part of it that comes from held-out samples, when some were held out (for method `auto`). */
  readonly heldOut?: HistogramData;
}

/** Statistics of a calibration run, as `statistics.plim` holds them. */
export interface Statistics {
  /** The float model file as it was given. */
  readonly model: { readonly sha256: string };
  /** Outline of the prepared graph, so that any target can be tried later without the model. */
  readonly outline: GraphOutline;
  /** The samples that were seen. */
  readonly data: {
    /** How many. */
    readonly samples: number;
    /** Order-free hash over the preprocessed samples. */
    readonly sha256: string;
  };
  /** In topological order. */
  readonly tensors: readonly TensorStatistics[];
}
