/**
 * The last stage of calibration: activations into statistics.
 *
 * @module
 */
import type { Accumulator, HistogramCore } from "../../wasm/mod.ts";
import { PlimsollError } from "../../tpc/core/errors.ts";
import { MultisetHash } from "../core/hash.ts";
import type { InferredBatch, Tensor } from "../core/tensor.ts";
import type { TensorStatistics } from "./statistics.ts";

interface Entry {
  readonly accumulator: Accumulator;
  shape?: (number | null)[];
}

/**
 * Accumulates statistics of named tensors in constant memory. Statistics don't depend on how
 * samples were batched or ordered.
 */
export class StatisticsCollector {
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #hash = new MultisetHash();
  #samples = 0;

  /** One accumulator for each tensor. */
  constructor(core: HistogramCore, tensors: readonly string[]) {
    this.#entries = new Map(tensors.map((name) => [name, { accumulator: core.create() }]));
  }

  /** Samples observed. */
  get samples(): number {
    return this.#samples;
  }

  /**
   * Adds a batch.
   *
   * @throws {PlimsollError} kind `data` for NaN or infinity, naming tensor and sample. The batch
   * may be counted in part then; the collector should not be used any more.
   */
  async observe({ batch, outputs }: InferredBatch): Promise<void> {
    for (const [name, { accumulator }] of this.#entries) {
      const tensor = outputs.get(name)!;
      accumulator.observe(tensor.data);
      if (accumulator.nonFinite > 0) throw nonFiniteError(name, tensor, batch);
      this.#noteShape(name, tensor.dims, batch.samples.length);
    }
    for (const { input } of batch.samples) {
      await this.#hash.add(
        new Uint8Array(input.data.buffer, input.data.byteOffset, input.data.byteLength),
      );
    }
    this.#samples += batch.samples.length;
  }

  /** The data set seen so far. */
  data(): { samples: number; sha256: string } {
    return { samples: this.#samples, sha256: this.#hash.toString() };
  }

  /** Statistics so far, as a copy: can be asked for at any time while samples stream. */
  tensors(): TensorStatistics[] {
    return [...this.#entries].map(([tensor, { accumulator, shape }]) => ({
      tensor,
      shape: shape ?? [],
      histogram: accumulator.data(),
    }));
  }

  /** Shapes are kept for one sample, since the batch size must not show in the result. */
  #noteShape(name: string, dims: readonly number[], batchSize: number): void {
    const [first, ...rest] = dims;
    const single = dims.length === 0
      ? []
      : [first % batchSize === 0 ? first / batchSize : null, ...rest];
    const entry = this.#entries.get(name)!;
    const { shape } = entry;
    if (shape === undefined) entry.shape = single;
    else if (shape.length !== single.length) entry.shape = [];
    else entry.shape = shape.map((size, axis) => size === single[axis] ? size : null);
  }
}

function nonFiniteError(
  name: string,
  { data }: Tensor,
  { samples }: InferredBatch["batch"],
): PlimsollError {
  const position = data.findIndex((x) => !Number.isFinite(x));
  const sample = samples[Math.floor(position / (data.length / samples.length))];
  return new PlimsollError("data", {
    action: `observing tensor ${JSON.stringify(name)}`,
    wanted: "finite activations",
    found: `${data[position]} from sample ${JSON.stringify(sample?.id)}`,
    remedy:
      "Check this sample and the preprocessing; a float model that makes NaN or infinity can't be calibrated",
  });
}
