/**
 * Statistics of a calibration run: what the search needs, and nothing of how the work was cut.
 *
 * @module
 */
import type { GraphOutline } from "../../onnx/graph/outline.ts";
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import type { HistogramData } from "../../wasm/mod.ts";
import type { ChannelStatistics } from "./channel_sums.ts";
import type { SourceCoverage } from "./coverage.ts";

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

/** What a calibration run saw. */
export interface DataCoverage {
  /** Samples that count. */
  readonly samples: number;
  /** Samples that were left out because they made NaN or infinity. */
  readonly skipped: number;
  /** Order-free hash over the preprocessed samples that count. */
  readonly sha256: string;
  /** SHA-256 of the preprocessing, when the caller says what it was. */
  readonly preprocessing: string | null;
  /** Whether statistics of held-out samples are kept apart, for method `auto`. */
  readonly holdsOut: boolean;
  /** Positions of the samples, those left out among them, by source. */
  readonly sources: readonly SourceCoverage[];
}

/** Statistics of a calibration run, as `statistics.plim` holds them. */
export interface Statistics {
  /** The float model file as it was given. */
  readonly model: { readonly sha256: string };
  /** Rewrites of the prepared graph that were applied before. */
  readonly rewrites: Rewrites;
  /** What the model ran in; null of files that don't say (version 3). Another runtime gives other last bits. */
  readonly runtime: string | null;
  /** Outline of the prepared graph, so that any target can be tried later without the model. */
  readonly outline: GraphOutline;
  /** The samples that were seen. */
  readonly data: DataCoverage;
  /** In topological order. */
  readonly tensors: readonly TensorStatistics[];
  /** Of the inputs of layers with weights, in topological order. */
  readonly channels: readonly ChannelStatistics[];
}
