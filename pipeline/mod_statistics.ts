/**
 * Calibration and its statistics, for experts: collect, watch, merge, read, write.
 *
 * @module
 */
export { sha256 } from "../core/hash.ts";
export type { FileEntry, HostWorker } from "../core/host.ts";
export type { OnProgress } from "../core/progress.ts";
export type { PixelImage, RawSample, RawText, Tensor } from "../core/tensor.ts";
export type { OnTime, Work } from "../core/timing.ts";
export {
  type GatheredPart,
  type Gathering,
  gatherPart,
  mergeParts,
  type PartOptions,
  type PassOrder,
} from "./passes/gathering.ts";
export type { Elsewhere, PassElsewhere } from "./quantize/elsewhere.ts";
export { calibrate, type CalibrateOptions, type Checkpoint } from "./passes/calibrate.ts";
export type { CalibrateHereOptions } from "./passes/calibrate_here.ts";
export {
  type Convergence,
  ThresholdWatch,
  type ThresholdWatchOptions,
} from "./passes/threshold_watch.ts";
export { calibrateFor } from "./quantize/quantize.ts";
export type { ByteSource } from "./source/byte_source.ts";
export { type Format, FORMATS } from "./source/format.ts";
export type { LabelFile, LabelSource } from "./source/labels.ts";
export type { OpenSamplesOptions } from "./source/open_samples.ts";
export {
  openPreparedSamples,
  type PreparedSamples,
  type PreparedSamplesOptions,
} from "./source/prepared_samples.ts";
export type { SelectionOptions } from "./source/sample_source.ts";
export {
  loadTokenizer,
  type TextInput,
  type Tokenize,
  type TokenizerOptions,
} from "./source/text_inputs.ts";
export type { ChannelAxis, ChannelStatistics } from "./statistics/channel_sums.ts";
export type { CollectorOptions } from "./statistics/collector.ts";
export type { SourceCoverage } from "./statistics/coverage.ts";
export { mergeStatistics } from "./statistics/merge_statistics.ts";
export { readPlim, writePlim } from "./statistics/plim.ts";
export type { DataCoverage, Statistics, TensorStatistics } from "./statistics/statistics.ts";
export type { StartWorker } from "./workers/pool.ts";
export { type HistogramData, supplyWasm, type WasmModules } from "../wasm/mod.ts";
