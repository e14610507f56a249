/**
 * Codes and steps of a layer for what it really meets: inputs that the layers before it have changed, outputs that the
 * float model gives.
 *
 * For an output channel with weights w, inputs x̂ of the quantized model and outputs y of the float model, both about
 * their means, the best real weights are
 *
 *     w′ = w + (E[y·x̂] − w·H)·(H + λ)⁻¹,   H = E[x̂·x̂ᵀ]
 *
 * (as GPTAQ, arXiv 2504.02692, and Qronos, arXiv 2505.11695, correct what came before), which codes are then rounded to
 * by second moments (`second_order.ts`), with the step among a few around that of the weights alone for which they err
 * least. λ is the part of the mean of the diagonal by which moments of so few vectors are uncertain: it grows with the
 * number of weights and falls with that of the vectors, so that what few samples show changes little.
 *
 * @module
 */
import type { InputTensor, Tensor } from "../../core/tensor.ts";
import { sampleOf } from "../../core/tensor.ts";
import { columnsOf, crossProduct, type GramProduct } from "../rounding/gram.ts";
import { blocksOf } from "../rounding/moments_collector.ts";
import type { Patches } from "../rounding/patches.ts";
import { planRounding, quickError, roundRow, solve } from "../rounding/second_order.ts";

/**
 * The least λ. With few bits what came before can be made up for, with many it is mostly rounding of activations, which no
 * weights take out: EfficientNet-Lite0 has 26.2 and 9.8 dB at 8 and 4 bits with 0.1, 26.7 and 9.2 dB with 3.
 */
const LEAST_DOUBT = { few: 0.1, many: 3 };
/** With so many bits another step is hardly worth its search, either (measured). */
const MANY_BITS = 8;
/** Vectors of one sample. */
const POSITIONS = 64;
/** Vectors that are multiplied at once: more take memory and are no faster. */
const PRODUCT_ROWS = 1024;
/** Steps that are tried, as parts of the one that the weights alone would have. */
const STEPS = [0.84, 0.92, 1, 1.08, 1.16];

/** Sums over vectors of a block of a group. */
export interface BlockMoments {
  readonly group: number;
  readonly from: number;
  readonly size: number;
  /** E[x̂·x̂ᵀ] about the mean, row-major. */
  readonly inputs: Float64Array;
  /** E[y·x̂] about the means, a row an output channel of the group. */
  readonly outputs: Float64Array;
  /** Mean of x̂. */
  readonly means: Float64Array;
}

/** Moments of a layer. */
export interface LayerMoments {
  readonly blocks: readonly BlockMoments[];
  /** Mean of y of each output channel. */
  readonly outputMeans: Float64Array;
  /** Vectors that they are taken from. */
  readonly count: number;
}

/** One run of both models at a layer. */
export interface LayerRun {
  /** Samples of the run. */
  readonly samples: number;
  /** What the layer reads in the quantized model. */
  readonly input: InputTensor;
  /** What it gives in the float model. */
  readonly output: InputTensor;
}

/** Gathers the moments of a layer. Their order doesn't matter but for rounding to float64. */
export async function layerMoments(
  runs: Iterable<LayerRun>,
  patches: Patches,
  product: GramProduct,
): Promise<LayerMoments> {
  const { groups, rows, size } = patches.shape;
  const parts = Array.from({ length: groups }, (_, group) =>
    blocksOf(size).map(({ from, to }) => ({
      group,
      from,
      size: to - from,
      inputs: new Float64Array((to - from) ** 2),
      outputs: new Float64Array(rows * (to - from)),
      means: new Float64Array(to - from),
      outputMeans: new Float64Array(rows),
    }))).flat();
  let count = 0;
  /** Vectors that wait for a product, by group: what the layer reads, what it gives. */
  const emptied = () => ({
    x: Array.from({ length: groups }, (): Float32Array[] => []),
    y: Array.from({ length: groups }, (): Float32Array[] => []),
    rows: 0,
  });
  let waiting = emptied();
  const flush = async () => {
    for (const part of parts) {
      const x = columnsOf(join(waiting.x[part.group]), size, {
        from: part.from,
        to: part.from + part.size,
      });
      const y = join(waiting.y[part.group]);
      if (x.length === 0) continue;
      addAll(part.means, x, part.size);
      addAll(part.outputMeans, y, rows);
      const own = { x, columns: part.size, y: x };
      add(part.inputs, await crossProduct(product, part.size, own));
      add(part.outputs, await crossProduct(product, part.size, { x: y, columns: rows, y: x }));
    }
    waiting = emptied();
  };
  for (const { samples, input, output } of runs) {
    for (let s = 0; s < samples; s++) {
      const vectors = patches.read(sampleOf(input as Tensor, s, samples), POSITIONS);
      const wanted = patches.readOutput(sampleOf(output as Tensor, s, samples), POSITIONS);
      const own = vectors[0].length / size;
      vectors.forEach((x, group) => waiting.x[group].push(x));
      wanted.forEach((y, group) => waiting.y[group].push(y));
      waiting.rows += own;
      count += own;
      if (waiting.rows >= PRODUCT_ROWS) await flush();
    }
  }
  await flush();
  for (const { size, inputs, outputs, means, outputMeans } of parts) {
    for (const sums of [inputs, outputs, means, outputMeans]) {
      for (let i = 0; i < sums.length; i++) sums[i] /= count;
    }
    for (let i = 0; i < inputs.length; i++) {
      inputs[i] -= means[Math.floor(i / size)] * means[i % size];
    }
    for (let i = 0; i < outputs.length; i++) {
      outputs[i] -= outputMeans[Math.floor(i / size)] * means[i % size];
    }
  }
  const outputMeans = new Float64Array(groups * rows);
  for (const part of parts) outputMeans.set(part.outputMeans, part.group * rows);
  return { blocks: parts, outputMeans, count };
}

/** Biases with which a layer of these weights gives what the float model gives on average. */
export function meanBiases(
  { blocks, outputMeans }: LayerMoments,
  { shape: { rows, place } }: Patches,
  weights: ArrayLike<number>,
): Float64Array {
  const biases = outputMeans.slice();
  for (const { group, from, size, means } of blocks) {
    for (let row = group * rows; row < (group + 1) * rows; row++) {
      for (let k = 0; k < size; k++) biases[row] -= weights[place(row, from + k)] * means[k];
    }
  }
  return biases;
}

function join(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const array of arrays) {
    all.set(array, offset);
    offset += array.length;
  }
  return all;
}

function add(sums: Float64Array, values: ArrayLike<number>): void {
  for (let i = 0; i < sums.length; i++) sums[i] += values[i];
}

function addAll(sums: Float64Array, values: Float32Array, width: number): void {
  for (let row = 0; row < values.length; row += width) {
    for (let i = 0; i < width; i++) sums[i] += values[row + i];
  }
}

/** A layer's weights, and the grid that they are on. */
export interface FittedWeights {
  readonly data: ArrayLike<number>;
  /** Step of each output channel. */
  readonly steps: Float64Array;
  /** Code of zero of each output channel. */
  readonly zeroPoints: readonly number[];
  /** First and last code. */
  readonly low: number;
  readonly high: number;
  /** Whether a channel may have another step. */
  readonly isFree: boolean;
  /** Bits of a code. */
  readonly bits: number;
}

/**
 * Codes of all weights, zero points included, and the steps that they are for.
 *
 * @param weights Row-major, as in the model.
 */
export function fitLayer(
  { blocks, count }: LayerMoments,
  { shape: { rows, size, place } }: Patches,
  { data, steps: before, zeroPoints, low, high, isFree, bits }: FittedWeights,
): { codes: Int16Array; steps: Float64Array } {
  const codes = new Int16Array(data.length);
  const steps = before.slice();
  const isFine = bits >= MANY_BITS;
  const least = isFine ? LEAST_DOUBT.many : LEAST_DOUBT.few;
  for (const { group, from, size: width, inputs, outputs } of blocks) {
    const doubt = width / count;
    const plan = planRounding({ size: width, matrix: inputs }, 0.03 + doubt / 2);
    // A block of several can't tell its own part of what is to be made up for.
    const isWhole = width === size;
    const trust = isWhole
      ? planRounding({ size: width, matrix: inputs }, least + 10 * doubt)
      : undefined;
    for (let r = 0; r < rows; r++) {
      const row = group * rows + r;
      const places = Array.from({ length: width }, (_, k) => place(row, from + k));
      const own = Float64Array.from(places, (i) => data[i]);
      const wanted = trust === undefined
        ? own
        : withMissing(own, outputs.subarray(r * width, (r + 1) * width), inputs, trust);
      const zeroPoint = zeroPoints[row];
      const on = (step: number) => ({
        weights: wanted,
        scales: new Float64Array(width).fill(step),
        low,
        high,
        zeroPoints: Array<number>(width).fill(zeroPoint),
      });
      if (isFree && !isFine && isWhole) {
        const tried = STEPS.map((part) => {
          const step = Math.fround(before[row] * part);
          return { step, error: quickError(plan, on(step)) };
        });
        steps[row] = tried.reduce((best, next) => next.error < best.error ? next : best).step;
      }
      const { codes: found } = roundRow(plan, on(steps[row]));
      places.forEach((i, k) => codes[i] = found[k] + zeroPoint);
    }
  }
  return { codes, steps };
}

/** Weights with what their outputs lack. */
function withMissing(
  weights: Float64Array,
  outputs: Float64Array,
  inputs: Float64Array,
  plan: ReturnType<typeof planRounding>,
): Float64Array {
  const size = weights.length;
  const missing = outputs.map((g, k) => {
    let met = 0;
    for (let j = 0, at = k * size; j < size; j++) met += weights[j] * inputs[at + j];
    return g - met;
  });
  const change = solve(plan, missing);
  return weights.map((w, k) => w + change[k]);
}
