/**
 * The last stage of calibration: activations into statistics.
 *
 * @module
 */
import type { Accumulator, HistogramCore } from "../../wasm/mod.ts";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { nonFiniteFrom } from "../../core/non_finite.ts";
import { MultisetHash } from "../../core/hash.ts";
import { type InferredBatch, type Sample, sampleOf, type Tensor } from "../../core/tensor.ts";
import type { Watched } from "../../tpc/placement/types.ts";
import { ChannelCollector, type ChannelStatistics } from "./channel_sums.ts";
import { RangeSet } from "./coverage.ts";
import { hashSample, isHeldOut } from "./held_out.ts";
import { mergeShapes } from "./merge_statistics.ts";
import type { DataCoverage, TensorStatistics } from "./statistics.ts";

/** Options of {@linkcode StatisticsCollector}. */
export interface CollectorOptions {
  /** Keep statistics of held-out samples apart, too, for method `auto`. */
  readonly holdOut?: boolean;
  /** What the source of the samples is; see `SourceCoverage`. */
  readonly source?: string;
  /** SHA-256 of the preprocessing. */
  readonly preprocessing?: string;
  /** What becomes of a sample that makes NaN or infinity; default `fail`. */
  readonly onNonFinite?: "fail" | "skip";
  /** Told each sample that is left out. */
  readonly onSkip?: (reason: PlimsollError) => void;
}

/** A layer's input. */
interface Layer {
  readonly tensor: string;
  readonly collector: ChannelCollector;
}

interface Entry {
  readonly accumulator: Accumulator;
  /** Of held-out samples only; undefined when none are wanted. */
  heldOut?: Accumulator;
  shape?: readonly (number | null)[];
}

/**
 * Accumulates statistics of named tensors in constant memory. Statistics don't depend on how
 * samples were batched or ordered.
 */
export class StatisticsCollector {
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #layers: readonly Layer[];
  readonly #options: CollectorOptions;
  readonly #hash = new MultisetHash();
  readonly #covered = new RangeSet();
  #samples = 0;
  #skipped = 0;

  /** One accumulator for each tensor, one collector for each layer. */
  constructor(
    core: HistogramCore,
    { tensors, layers }: Watched,
    options: CollectorOptions = {},
  ) {
    this.#options = options;
    this.#layers = layers.map(({ tensor, axis }) => ({
      tensor,
      collector: new ChannelCollector(tensor, axis),
    }));
    this.#entries = new Map(tensors.map((name) => [name, {
      accumulator: core.create(),
      ...(options.holdOut ? { heldOut: core.create() } : {}),
    }]));
  }

  /** Samples that count so far. */
  get samples(): number {
    return this.#samples;
  }

  /**
   * Adds a batch.
   *
   * @throws {PlimsollError} kind `data` for NaN or infinity, naming tensor and sample, and for a sample that was
   * there before. The batch may be counted in part then; the collector should not be used any more.
   */
  async observe({ batch, outputs }: InferredBatch): Promise<void> {
    const { samples } = batch;
    for (const sample of samples) if (!this.#covered.add(sample.index)) throw twice(sample);
    // Hashed beside the sums, on another thread.
    const hashing = Promise.all(samples.map(hashSample));
    const left = this.#options.onNonFinite === "skip" ? this.#leaveOut(outputs, samples) : [];
    for (const [name, entry] of this.#entries) {
      const tensor = outputs.get(name)!;
      const layers = this.#layers.filter((layer) => layer.tensor === name);
      for (const part of partsOf(tensor, samples.length, left)) observe(entry, part, layers);
      if (entry.accumulator.nonFinite > 0) throw nonFiniteError(name, tensor, samples);
      if (left.length < samples.length) noteShape(entry, tensor.dims, samples.length);
    }
    for (const { tensor: name, collector } of this.#layers) {
      if (this.#entries.has(name)) continue;
      const parts = partsOf(outputs.get(name)!, samples.length, left);
      for (const part of parts) collector.add(part);
    }
    const hashes = await hashing;
    samples.forEach((_, i) => {
      if (left.includes(i)) return;
      this.#hash.add(hashes[i]);
      if (isHeldOut(hashes[i])) this.#holdOut(outputs, i, samples.length);
    });
    this.#samples += samples.length - left.length;
    this.#skipped += left.length;
  }

  /** The data set seen so far. */
  data(): DataCoverage {
    const { source = "", preprocessing = null, holdOut = false } = this.#options;
    return {
      samples: this.#samples,
      skipped: this.#skipped,
      sha256: this.#hash.toString(),
      preprocessing,
      holdsOut: holdOut,
      sources: [{ source, ranges: this.#covered.ranges() }],
    };
  }

  /** Statistics so far, as a copy: can be asked for at any time while samples stream. */
  tensors(): TensorStatistics[] {
    return [...this.#entries].map(([tensor, { accumulator, heldOut, shape }]) => ({
      tensor,
      shape: shape ?? [],
      histogram: accumulator.data(),
      ...(heldOut === undefined ? {} : { heldOut: heldOut.data() }),
    }));
  }

  /** Positions in the batch of samples that make NaN or infinity in any tensor. */
  #leaveOut(outputs: InferredBatch["outputs"], samples: readonly Sample[]): number[] {
    const left = new Set<number>();
    for (const name of this.#entries.keys()) {
      const tensor = outputs.get(name)!;
      const length = tensor.data.length / samples.length;
      for (let start = 0; start < tensor.data.length;) {
        const at = nonFiniteFrom(tensor.data, start);
        if (at < 0) break;
        if (tensor.dims.length === 0 || tensor.dims[0] % samples.length !== 0) {
          throw nonFiniteError(
            name,
            tensor,
            samples,
            `Its samples can't be told apart: use ${option("batch", 1)}`,
          );
        }
        const i = Math.floor(at / length);
        if (!left.has(i)) this.#options.onSkip?.(nonFiniteError(name, tensor, samples, "", at));
        left.add(i);
        start = (i + 1) * length;
      }
    }
    return [...left];
  }

  /** Sums of channels so far, as a copy. */
  channels(): ChannelStatistics[] {
    return this.#layers.map(({ collector }) => collector.statistics());
  }

  /** Adds sample i of a batch to the held-out statistics of every tensor that can be taken apart. */
  #holdOut(outputs: InferredBatch["outputs"], i: number, size: number): void {
    for (const [name, entry] of this.#entries) {
      const { data, dims } = outputs.get(name)!;
      if (entry.heldOut === undefined) continue;
      if (dims.length === 0 || dims[0] % size !== 0) {
        // A first axis that isn't the batch: nothing can be held out of this tensor.
        entry.heldOut = undefined;
        continue;
      }
      const length = data.length / size;
      entry.heldOut.observe(data.subarray(i * length, (i + 1) * length));
    }
  }
}

/** A tensor without the samples that are left out: whole, or sample by sample. */
function partsOf(tensor: Tensor, size: number, left: readonly number[]): Tensor[] {
  if (left.length === 0) return [tensor];
  return Array.from({ length: size }, (_, i) => i).filter((i) => !left.includes(i))
    .map((i) => sampleOf(tensor, i, size));
}

/** Adds elements to the histogram, and to the sums of the layers that read them. */
function observe({ accumulator }: Entry, part: Tensor, layers: readonly Layer[]): void {
  const room = layers.map(({ collector }) => collector.createRuns(part));
  const runs = room.find((sums) => sums !== undefined);
  accumulator.observe(part.data, runs);
  layers.forEach(({ collector }, i) => collector.add(part, room[i] && runs));
}

/** Shapes are kept for one sample, since the batch size must not show in the result. */
function noteShape(entry: Entry, dims: readonly number[], batchSize: number): void {
  const [first, ...rest] = dims;
  const single = dims.length === 0
    ? []
    : [first % batchSize === 0 ? first / batchSize : null, ...rest];
  entry.shape = entry.shape === undefined ? single : mergeShapes(entry.shape, single);
}

function twice({ id, index }: Sample): PlimsollError {
  return new PlimsollError("data", {
    action: `observing sample ${JSON.stringify(id)}`,
    wanted: "samples with different positions in the data set",
    found: `position ${index} a second time`,
    remedy: "Number the samples of a stream from 0, each by another number",
  });
}

function nonFiniteError(
  name: string,
  { data }: Tensor,
  samples: readonly Sample[],
  remedy = `Check this sample and the preprocessing, or leave such samples out with ${
    option("onNonfinite", "skip")
  }; a float model that makes NaN or infinity can't be calibrated`,
  position = nonFiniteFrom(data, 0),
): PlimsollError {
  const sample = samples[Math.floor(position / (data.length / samples.length))];
  return new PlimsollError("data", {
    action: `observing tensor ${JSON.stringify(name)}`,
    wanted: "finite activations",
    found: `${data[position]} from sample ${JSON.stringify(sample?.id)}`,
    remedy,
  });
}
