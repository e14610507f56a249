/**
 * How far the outputs of a model are from those of another one: every output, whatever it is, with the figures that its
 * users know.
 *
 * @module
 */
import { decibels, exp, ln } from "../../core/portable_math.ts";
import type { Tensor } from "../../core/tensor.ts";
import { argMax } from "./metrics.ts";

/** What an output holds, as far as its name, shape and values tell. */
export type OutputKind =
  /** Integers or booleans: they are equal or not. */
  | "codes"
  /** A distribution along the last axis. */
  | "probabilities"
  /** A score a class, [samples, classes]. */
  | "classes"
  /** Values 0 … 1 that are no distribution: masks, detections' scores. */
  | "scores"
  /** A vector a sample whose direction matters. */
  | "embedding"
  /** Anything else. */
  | "values";

/** An output of a model against the same of another one; plain JSON. */
export interface OutputFigures {
  /** Its name. */
  readonly output: string;
  /** What it holds. */
  readonly kind: OutputKind;
  /** 10·log10(Σf² / Σ(q − f)²) over all elements of all samples, in dB; null when they are equal, or f is all zeros. */
  readonly sqnr: number | null;
  /** The median over the samples of each sample's own SQNR: no outlier decides it. */
  readonly medianSqnr: number | null;
  /** Cosine between the two, the mean over samples. */
  readonly cosine: number;
  /**
   * The slice with the least SQNR, where slices have different ranges: boxes beside scores, channels of a map, but no rows
   * and columns of an image. Null for
   * outputs of fewer than three axes, and where all slices are equal.
   */
  readonly worstSlice: {
    readonly axis: number;
    readonly index: number;
    readonly sqnr: number;
  } | null;
  /** Part of the rows (samples, or positions of a sequence) with another largest entry; null where that means nothing. */
  readonly flips: number | null;
  /** Rows that `flips` counts. */
  readonly rows: number;
  /** Mean of KL(f‖q) over rows in nats, of softmaxed scores or of probabilities as they are; null elsewhere. */
  readonly kl: number | null;
  /** Overlap of what lies above one half: intersection over union; null where nothing does, or scores are none. */
  readonly overlap: number | null;
  /** Part of the elements that are equal, of integers; null elsewhere. */
  readonly equal: number | null;
  /** Whether NaN or infinity comes where the other model gives a number. */
  readonly isFinite: boolean;
}

/** Slices of an axis beyond this many aren't looked at: it is no axis of channels. */
const MOST_SLICES = 512;
/** A slice whose power is a smaller part of the largest one's is no content but rounding. */
const LEAST_POWER = 1e-12;
/** How far sums of probabilities and norms of embeddings may be from 1. */
const NEAR_ONE = 1e-3;
/** Names by which exporters call vectors that are no scores. */
const VECTOR_NAMES = /embed|feature|pool|hidden|state|token/i;

/** Sums over samples for one output. */
export class OutputSums {
  readonly #name: string;
  #dims: readonly number[] = [];
  #signal = 0;
  #noise = 0;
  #cosine = 0;
  #samples = 0;
  #equal = 0;
  #elements = 0;
  #isInteger = false;
  #isFinite = true;
  #isUnit = true;
  #isNormed = true;
  #isDistribution = true;
  #rows = 0;
  #flips = 0;
  #klLogits = 0;
  #klProbabilities = 0;
  #both = 0;
  #either = 0;
  readonly #bySample: number[] = [];
  /** By axis: power and noise of each slice. */
  #slices: (readonly [power: Float64Array, noise: Float64Array] | undefined)[] = [];

  /** @param name Of the output. */
  constructor(name: string) {
    this.#name = name;
  }

  /**
   * Adds the outputs of a batch.
   *
   * @param float Of the model that is compared with, first axis = samples unless it has another number.
   * @param found Of the other one, in the same shape.
   * @param size Samples in the batch.
   */
  add(float: Tensor, found: Tensor, size: number): void {
    if (!(float.data instanceof Float32Array)) return this.#addCodes(float, found);
    const isBatched = float.dims[0] === size;
    const count = isBatched ? size : 1;
    this.#begin(isBatched ? float.dims.slice(1) : float.dims);
    const length = float.data.length / count;
    for (let i = 0; i < count; i++) {
      const [from, to] = [i * length, (i + 1) * length];
      this.#addSample(float.data.subarray(from, to), found.data.subarray(from, to));
    }
  }

  #begin(dims: readonly number[]): void {
    if (this.#samples === 0) {
      const positions = positionAxes(dims);
      this.#slices = dims.length < 2
        ? []
        : dims.map((size, axis) =>
          size > 1 && size <= MOST_SLICES && !positions.has(axis)
            ? [new Float64Array(size), new Float64Array(size)] as const
            : undefined
        );
    } else {
      // An axis whose size changes is none of channels.
      this.#slices = this.#slices.map((sums, axis) =>
        dims.length === this.#dims.length && dims[axis] === this.#dims[axis] ? sums : undefined
      );
    }
    this.#dims = dims;
  }

  #addCodes(float: Tensor, found: Tensor): void {
    this.#isInteger = true;
    const [a, b] = [float.data, found.data] as unknown as ArrayLike<unknown>[];
    this.#samples++;
    this.#elements += a.length;
    for (let i = 0; i < a.length; i++) if (a[i] === b[i]) this.#equal++;
  }

  #addSample(f: Float32Array, q: Float32Array): void {
    let [signal, noise, dot, own] = [0, 0, 0, 0];
    for (let i = 0; i < f.length; i++) {
      // Where the float model gives NaN or infinity, as masks do, there is nothing to compare.
      if (f[i] - f[i] !== 0) continue;
      if (q[i] - q[i] !== 0) {
        this.#isFinite = false;
        continue;
      }
      signal += f[i] * f[i];
      noise += (q[i] - f[i]) ** 2;
      dot += f[i] * q[i];
      own += q[i] * q[i];
      const [a, b] = [f[i] > 0.5, q[i] > 0.5];
      if (a && b) this.#both++;
      if (a || b) this.#either++;
      if (f[i] < 0 || f[i] > 1 + NEAR_ONE) this.#isUnit = false;
    }
    this.#samples++;
    this.#signal += signal;
    this.#noise += noise;
    this.#cosine += own === 0 || signal === 0
      ? Number(own === signal)
      : dot / (Math.sqrt(own) * Math.sqrt(signal));
    if (Math.abs(signal - 1) > NEAR_ONE) this.#isNormed = false;
    if (this.#bySample.length < 4096) this.#bySample.push(decibels(signal / noise));
    this.#addSlices(f, q);
    this.#addRows(f, q);
  }

  #addSlices(f: Float32Array, q: Float32Array): void {
    let inner = f.length;
    for (const [axis, sums] of this.#slices.entries()) {
      const size = this.#dims[axis];
      inner /= size;
      if (sums === undefined) continue;
      const [power, noise] = sums;
      for (let start = 0; start < f.length; start += inner * size) {
        for (let k = 0; k < size; k++) {
          for (let i = start + k * inner; i < start + (k + 1) * inner; i++) {
            if (f[i] - f[i] !== 0) continue;
            power[k] += f[i] * f[i];
            noise[k] += (q[i] - f[i]) ** 2;
          }
        }
      }
    }
  }

  /** Rows along the last axis: a sample's classes, or those of each position. */
  #addRows(f: Float32Array, q: Float32Array): void {
    const width = this.#dims.at(-1) ?? 1;
    if (width < 2 || this.#dims.length > 2) return;
    for (let start = 0; start < f.length; start += width) {
      const [a, b] = [f.subarray(start, start + width), q.subarray(start, start + width)];
      this.#rows++;
      if (argMax(a) !== argMax(b)) this.#flips++;
      const sum = a.reduce((total, x) => total + x, 0);
      if (a.some((x) => !(x >= 0)) || Math.abs(sum - 1) > NEAR_ONE) this.#isDistribution = false;
      if (this.#dims.length === 1) this.#klLogits += klOfLogits(a, b);
      if (this.#isDistribution) this.#klProbabilities += klOfProbabilities(a, b);
    }
  }

  #kind(): OutputKind {
    if (this.#isInteger) return "codes";
    const [width, rank] = [this.#dims.at(-1) ?? 1, this.#dims.length];
    if (this.#isDistribution && this.#rows > 0) return "probabilities";
    if (rank === 1 && width > 1) {
      return this.#isNormed || VECTOR_NAMES.test(this.#name) ? "embedding" : "classes";
    }
    return this.#isUnit ? "scores" : "values";
  }

  /** The figures so far. */
  figures(): OutputFigures {
    const kind = this.#kind();
    const finite = (value: number) => Number.isFinite(value) ? value : null;
    const hasClasses = kind === "probabilities" || kind === "classes";
    const kl = kind === "probabilities" ? this.#klProbabilities : this.#klLogits;
    const median = this.#bySample.toSorted((a, b) => a - b)[Math.floor(this.#bySample.length / 2)];
    return {
      output: this.#name,
      kind,
      sqnr: finite(decibels(this.#signal / this.#noise)),
      medianSqnr: median === undefined ? null : finite(median),
      cosine: this.#isInteger
        ? this.#equal / Math.max(1, this.#elements)
        : this.#cosine / Math.max(1, this.#samples),
      worstSlice: kind === "probabilities" ? null : this.#worstSlice(),
      flips: hasClasses ? this.#flips / this.#rows : null,
      rows: hasClasses ? this.#rows : 0,
      kl: hasClasses ? finite(kl / this.#rows) : null,
      overlap: kind === "scores" && this.#either > 0 ? this.#both / this.#either : null,
      equal: this.#isInteger ? this.#equal / Math.max(1, this.#elements) : null,
      isFinite: this.#isFinite,
    };
  }

  #worstSlice(): OutputFigures["worstSlice"] {
    let worst: OutputFigures["worstSlice"] = null;
    for (const [axis, sums] of this.#slices.entries()) {
      if (sums === undefined) continue;
      const [power, noise] = sums;
      const most = Math.max(...power);
      for (let index = 0; index < power.length; index++) {
        if (power[index] <= most * LEAST_POWER || noise[index] === 0) continue;
        const sqnr = decibels(power[index] / noise[index]);
        // Axes as the whole output has them, samples in front.
        if (worst === null || sqnr < worst.sqnr) worst = { axis: axis + 1, index, sqnr };
      }
    }
    return worst;
  }
}

/**
 * Axes of a map that are places in an image: a row of it with next to nothing in it, as where there is no text, has lost nothing.
 * Two neighbours of equal size are, or else the larger ones beside channels in front or behind.
 *
 * @param dims Without the axis of samples.
 */
function positionAxes(dims: readonly number[]): Set<number> {
  if (dims.length < 3) return new Set();
  const squares = dims.flatMap((size, axis) =>
    size > 1 && size === dims[axis + 1] ? [axis, axis + 1] : []
  );
  if (squares.length > 0 || dims.length > 3) return new Set(squares);
  const [first, , last] = dims;
  const least = Math.min(...dims);
  return new Set(first === least ? [1, 2] : last === least ? [0, 1] : []);
}

/** Adds an output of a batch of `size` samples to the sums of its name. */
export function addOutput(
  sums: Map<string, OutputSums>,
  name: string,
  [float, found]: readonly [float: Tensor, found: Tensor],
  size: number,
): void {
  const entry = sums.get(name) ?? new OutputSums(name);
  sums.set(name, entry);
  entry.add(float, found, size);
}

/**
 * Figures of all outputs of a model over its runs.
 *
 * @param found Its outputs, run by run.
 * @param float Those of the float model, of at least as many runs.
 * @param runs How many samples each has.
 */
export function figuresOfRuns(
  found: readonly ReadonlyMap<string, Tensor>[],
  float: readonly ReadonlyMap<string, Tensor>[],
  runs: readonly { readonly samples: number }[],
): OutputFigures[] {
  const sums = new Map<string, OutputSums>();
  found.forEach((outputs, i) => {
    for (const [name, tensor] of outputs) {
      addOutput(sums, name, [float[i].get(name)!, tensor], runs[i].samples);
    }
  });
  return [...sums.values()].map((entry) => entry.figures());
}

/** KL(softmax f ‖ softmax q) in nats. */
function klOfLogits(f: Float32Array, q: Float32Array): number {
  const [maxF, maxQ] = [f[argMax(f)], q[argMax(q)]];
  let [sumF, sumQ] = [0, 0];
  for (let i = 0; i < f.length; i++) {
    sumF += exp(f[i] - maxF);
    sumQ += exp(q[i] - maxQ);
  }
  let kl = 0;
  for (let i = 0; i < f.length; i++) {
    const p = exp(f[i] - maxF) / sumF;
    if (p > 0) kl += p * ((f[i] - maxF - ln(sumF)) - (q[i] - maxQ - ln(sumQ)));
  }
  return Math.max(0, kl);
}

/** Probabilities below this count as this, as in Keras. */
const MIN_PROBABILITY = 1e-7;

/** KL(f‖q) in nats, of distributions. */
function klOfProbabilities(f: Float32Array, q: Float32Array): number {
  let kl = 0;
  for (let i = 0; i < f.length; i++) {
    if (f[i] > 0) kl += f[i] * (ln(f[i]) - ln(Math.max(q[i], MIN_PROBABILITY)));
  }
  return Math.max(0, kl);
}
