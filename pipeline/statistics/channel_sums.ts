/**
 * Exact sums per channel: Σx and Σx² of each channel of a layer's input. From them come the channel means that bias
 * correction needs, and the variances by which weight errors count.
 *
 * A sum of floats depends on its order, so each plane (one channel of one sample) is summed in one fixed order, as
 * float64, and rounded to a whole multiple of {@linkcode UNIT}. From there on all is integers, which add up to the same
 * total whatever the batches, the order, the workers or the shards (design §2.5).
 *
 * @module
 */
import { createRunSums, type RunSums, sumRuns } from "../../wasm/mod.ts";
import type { Tensor } from "../../core/tensor.ts";
import { addCounts, checkSums } from "./add_counts.ts";

/** Axis of channels as layers have it: 1 for Conv and Gemm, the last for MatMul. */
export type ChannelAxis = 1 | -1;

/** Exact sums of the channels of one tensor. */
export interface ChannelStatistics {
  /** Name of the tensor. */
  readonly tensor: string;
  /** Axis of the channels. */
  readonly axis: ChannelAxis;
  /** Elements of each channel. */
  readonly count: number;
  /**
   * Σx of each channel in units of {@linkcode UNIT}; empty without elements. Null where it isn't known: a sum was beyond
   * 2^57, or the number of channels varied.
   */
  readonly sums: readonly bigint[] | null;
  /** Σx² likewise. */
  readonly squares: readonly bigint[] | null;
}

/** What one unit of the integers stands for. */
export const UNIT = 2 ** -64;
/** Largest sum of a plane. */
const LIMIT = 2 ** 57;

/** Mean of each channel; undefined where it isn't known. */
export function channelMeans({ count, sums }: ChannelStatistics): Float64Array | undefined {
  if (sums === null || count === 0) return undefined;
  return Float64Array.from(sums, (sum) => Number(sum) * UNIT / count);
}

/** Variance of each channel, not below 0; undefined where it isn't known. */
export function channelVariances(channels: ChannelStatistics): Float64Array | undefined {
  return channelMeans(channels)?.map((mean, c) =>
    Math.max(0, Number(channels.squares![c]) * UNIT / channels.count - mean * mean)
  );
}

/** Adds up. What isn't known in one part isn't in all; parts without elements add nothing. */
export function mergeChannels(parts: readonly ChannelStatistics[]): ChannelStatistics {
  const [{ tensor, axis }] = parts;
  const seen = parts.filter(({ sums }) => sums === null || sums.length > 0);
  const length = seen[0]?.sums?.length ?? 0;
  if (seen.some(({ sums }) => sums?.length !== length)) return unknown(tensor, axis);
  const count = addCounts(seen.map((part) => part.count), "elements of a channel");
  const add = (key: "sums" | "squares") =>
    Array.from({ length }, (_, c) => seen.reduce((sum, part) => sum + part[key]![c], 0n));
  const [sums, squares] = [add("sums"), add("squares")];
  checkSums([...sums, ...squares], tensor);
  return { tensor, axis, count, sums, squares };
}

function unknown(tensor: string, axis: ChannelAxis): ChannelStatistics {
  return { tensor, axis, count: 0, sums: null, squares: null };
}

/** Gathers the sums of one tensor while samples stream. */
export class ChannelCollector {
  readonly #tensor: string;
  readonly #axis: ChannelAxis;
  #count = 0;
  #isKnown = true;
  #sums: IntegerSums | undefined;
  #squares: IntegerSums | undefined;

  constructor(tensor: string, axis: ChannelAxis) {
    this.#tensor = tensor;
    this.#axis = axis;
  }

  /** Room for the sums that the histogram can give by the way; undefined where planes aren't contiguous. */
  createRuns({ dims, data }: Tensor): RunSums | undefined {
    if (this.#axis !== 1 || dims.length < 3 || data.length === 0) return undefined;
    return createRunSums(data.length, data.length / (dims[0] * dims[1]));
  }

  /** Adds the planes of some samples; `known` are the sums of `tensor` when they were made already. */
  add(tensor: Tensor, known?: RunSums): void {
    const { dims, data } = tensor;
    if (data.length === 0) return;
    const channels = dims.at(dims.length < 3 ? -1 : this.#axis);
    if (dims.length < 2 || channels === undefined) return this.#giveUp();
    this.#sums ??= new IntegerSums(channels);
    this.#squares ??= new IntegerSums(channels);
    if (channels !== this.#sums.length) return this.#giveUp();
    this.#count += data.length / channels;
    const runs = known ?? this.createRuns(tensor);
    if (runs === undefined) {
      // A plane is a column of a matrix; of a plain row, an element.
      const rows = dims.length < 3 ? 1 : dims.at(-2)!;
      return this.#addMatrices(data, channels, rows);
    }
    if (known === undefined) sumRuns(data, runs);
    for (let i = 0, c = 0; i < runs.sums.length; i++, c = c + 1 === channels ? 0 : c + 1) {
      this.#addPlane(c, runs.sums[i], runs.squares[i]);
    }
  }

  /** The sums so far. */
  statistics(): ChannelStatistics {
    const isKnown = this.#isKnown && this.#sums?.isKnown !== false &&
      this.#squares?.isKnown !== false;
    if (!isKnown) return unknown(this.#tensor, this.#axis);
    return {
      tensor: this.#tensor,
      axis: this.#axis,
      count: this.#count,
      sums: this.#sums?.totals() ?? [],
      squares: this.#squares?.totals() ?? [],
    };
  }

  /** Channels along the last axis, matrix after matrix. */
  #addMatrices(data: Float32Array, channels: number, rows: number): void {
    const size = rows * channels;
    const sums = new Float64Array(channels);
    const squares = new Float64Array(channels);
    for (let start = 0; start < data.length; start += size) {
      sums.fill(0);
      squares.fill(0);
      for (let row = start; row < start + size; row += channels) {
        for (let c = 0; c < channels; c++) {
          const x = data[row + c];
          sums[c] += x;
          squares[c] += x * x;
        }
      }
      for (let c = 0; c < channels; c++) this.#addPlane(c, sums[c], squares[c]);
    }
  }

  #addPlane(channel: number, sum: number, square: number): void {
    this.#sums!.add(channel, sum);
    this.#squares!.add(channel, square);
  }

  #giveUp(): void {
    this.#isKnown = false;
  }
}

/** Digits of 48 bits: of 2^32, of 2^−16 and of {@linkcode UNIT}. */
const DIGIT = 2 ** 48;
const TOP = 2 ** 32;
const MIDDLE = 2 ** -16;
/** Largest top digit of a total: 128 bits hold what is below. */
const TOP_LIMIT = 2 ** 30;

/** Exact integer sums in float64: three digits each, so that no addition rounds. Bigints take 20 times as long. */
class IntegerSums {
  readonly length: number;
  readonly #top: Float64Array;
  readonly #middle: Float64Array;
  readonly #low: Float64Array;
  isKnown = true;

  constructor(length: number) {
    this.length = length;
    this.#top = new Float64Array(length);
    this.#middle = new Float64Array(length);
    this.#low = new Float64Array(length);
  }

  /** Adds x, rounded to a multiple of UNIT. */
  add(i: number, x: number): void {
    if (!(x < LIMIT && x > -LIMIT)) {
      this.isKnown = false;
      return;
    }
    // Truncating leaves a rest that is exact, whatever the sign.
    const top = Math.trunc(x / TOP);
    const rest = x - top * TOP;
    const middle = Math.trunc(rest / MIDDLE);
    let low = this.#low[i] + Math.round((rest - middle * MIDDLE) / UNIT);
    let carried = this.#middle[i] + middle;
    let high = this.#top[i] + top;
    if (low >= DIGIT || low <= -DIGIT) {
      const carry = Math.trunc(low / DIGIT);
      low -= carry * DIGIT;
      carried += carry;
    }
    if (carried >= DIGIT || carried <= -DIGIT) {
      const carry = Math.trunc(carried / DIGIT);
      carried -= carry * DIGIT;
      high += carry;
    }
    if (high > TOP_LIMIT || high < -TOP_LIMIT) this.isKnown = false;
    this.#low[i] = low;
    this.#middle[i] = carried;
    this.#top[i] = high;
  }

  totals(): bigint[] {
    return Array.from(
      this.#top,
      (top, i) => (BigInt(top) << 96n) + (BigInt(this.#middle[i]) << 48n) + BigInt(this.#low[i]),
    );
  }
}
