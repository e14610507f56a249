/**
 * The last stage of calibration: activations into statistics.
 *
 * @module
 */
import type { Accumulator, HistogramCore } from "../../wasm/mod.ts";
import { PlimsollError } from "../../tpc/core/errors.ts";
import { MultisetHash } from "../core/hash.ts";
import { type InferredBatch, inputsOf, type Sample, type Tensor } from "../core/tensor.ts";
import type { TensorStatistics } from "./statistics.ts";

/** Samples whose SHA-256 begins with a byte below this are held out: one in eight. */
const HELD_OUT_BELOW = 32;

interface Entry {
  readonly accumulator: Accumulator;
  /** Of held-out samples only; undefined when none are wanted. */
  heldOut?: Accumulator;
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

  /**
   * One accumulator for each tensor.
   *
   * @param holdOut Keep statistics of held-out samples apart, too, for method `auto`.
   */
  constructor(core: HistogramCore, tensors: readonly string[], holdOut = false) {
    this.#entries = new Map(tensors.map((name) => [name, {
      accumulator: core.create(),
      ...(holdOut ? { heldOut: core.create() } : {}),
    }]));
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
    const size = batch.samples.length;
    for (const [i, sample] of batch.samples.entries()) {
      const [first] = await this.#hash.add(bytesOf(sample));
      if (first < HELD_OUT_BELOW) this.#holdOut(outputs, i, size);
    }
    this.#samples += batch.samples.length;
  }

  /** The data set seen so far. */
  data(): { samples: number; sha256: string } {
    return { samples: this.#samples, sha256: this.#hash.toString() };
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

/** The numbers of a sample, one input after the other in the order of their names. */
function bytesOf(sample: Sample): Uint8Array {
  const parts = inputsOf(sample).sort(([a], [b]) => a < b ? -1 : 1).map(([_, { data }]) =>
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  );
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
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
