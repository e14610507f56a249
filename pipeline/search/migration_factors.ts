/**
 * Which factors of channels serve a layer best, from what was seen of its input.
 *
 * @module
 */
import { ROUND } from "../../core/grid.ts";
import type { LinearLayer } from "../../onnx/layers/linear_layer.ts";

/** How far the channels of a tensor reach: the least and the largest value of each, 0 included. */
export interface ChannelReach {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** What was seen of the channels of a tensor. */
export interface ChannelRows {
  /** On some of the samples: what a grid would be chosen from. */
  readonly reach: ChannelReach;
  /** Some rows of other samples, one after another, an element of every channel each: what the grid is tried on. */
  readonly rows: Float32Array;
}

/** Bits of the codes that activations and weights get. */
export interface MigrationBits {
  readonly activation: number;
  readonly weight: number;
  /** Whether grids of activations always have the whole range, as those that are found when the model runs. */
  readonly isWhole?: boolean;
}

/** Migration strengths that are tried: 0 leaves all to the weights, 1 to the activations. */
const STRENGTHS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
/** Parts of the whole range that a grid may have: the search of thresholds clips where that pays. */
const PARTS = [1, 0.85, 0.7, 0.55, 0.4, 0.25];
/** Largest factor: channels that hardly move would get any. */
const LIMIT = 64;
/** Least part of the error that must go: a factor for less isn't worth a node. */
const LEAST_GAIN = 0.4;

/**
 * The best factors of the channels of a tensor,
 *
 *     s_j = max|x_j|^α / max|W_j|^(1 − α)        (SmoothQuant, arXiv 2211.10438, eq. 4)
 *
 * for the strength α with the least error of the layers' outputs, on samples that neither factors nor grid were chosen
 * from: few samples say little about how far a channel reaches. That error is what the rounding of the rows and of the
 * weights adds, each taken as independent of the other and from channel to channel:
 *
 *     Σ_j E[(Q(x_j/s_j)·s_j − x_j)²]·‖W_j‖²  +  Σ_o δ_o²/12 · Σ_j E[x_j²]/s_j²,   δ_o = max_j |s_j·W_oj| / (2^(b−1) − 1)
 *
 * @param layers Those that read the tensor; each counts by its part of its own output.
 * @returns Factors around 1, or undefined where none errs at least two fifths less than none at all.
 */
export function migrationFactors(
  { reach, rows }: ChannelRows,
  layers: readonly LinearLayer[],
  bits: MigrationBits,
): Float64Array | undefined {
  const largest = reach.high.map((high, j) => Math.max(high, -reach.low[j]));
  const channels = largest.length;
  const power = meanSquares(rows, channels);
  const weights = layers.map((layer) => weightSizes(layer));
  const outputs = weights.map(({ energy }) => dot(power, energy));
  // Each layer's error counts against its own output.
  const energy = new Float64Array(channels);
  const width = new Float64Array(channels);
  weights.forEach((sizes, i) => {
    if (outputs[i] === 0) return;
    const widest = sizes.largest.reduce((most, w) => Math.max(most, w), 0);
    sizes.energy.forEach((e, j) => energy[j] += e / outputs[i]);
    sizes.largest.forEach((w, j) => width[j] = Math.max(width[j], w / widest));
  });
  const none = new Float64Array(channels).fill(1);
  const tried = STRENGTHS.map((strength) => strengthFactors(largest, width, strength));
  const candidates = [none, ...tried];
  const errors = candidates.map((factors) => roundingError({ reach, rows }, factors, energy, bits));
  layers.forEach((layer, i) => {
    if (outputs[i] === 0) return;
    weightErrors(layer, candidates, power, bits.weight)
      .forEach((error, k) => errors[k] += error / outputs[i]);
  });
  const [without, ...others] = errors;
  const best = others.indexOf(Math.min(...others));
  return others[best] < (1 - LEAST_GAIN) * without ? tried[best] : undefined;
}

/** SmoothQuant's factors, around 1; 1 for channels that are always 0 or that nobody reads. */
function strengthFactors(
  largest: Float64Array,
  width: Float64Array,
  strength: number,
): Float64Array {
  const raw = largest.map((a, j) =>
    a > 0 && width[j] > 0 ? a ** strength / width[j] ** (1 - strength) : 0
  );
  const known = raw.filter((s) => s > 0);
  if (known.length === 0) return raw.fill(1);
  const mean = Math.exp(known.reduce((sum, s) => sum + Math.log(s), 0) / known.length);
  // float32, as they will be in the model.
  return raw.map((s) => s > 0 ? Math.fround(Math.min(Math.max(s / mean, 1 / LIMIT), LIMIT)) : 1);
}

/** What the rounding of the divided rows adds to outputs, with the best of a few grids. */
function roundingError(
  { reach, rows }: ChannelRows,
  factors: Float64Array,
  energy: Float64Array,
  { activation: bits, isWhole = false }: MigrationBits,
): number {
  const channels = factors.length;
  const low = reach.low.reduce((least, x, j) => Math.min(least, x / factors[j]), 0);
  const high = reach.high.reduce((most, x, j) => Math.max(most, x / factors[j]), 0);
  const count = Math.max(1, rows.length / channels);
  let least = Infinity;
  for (const part of isWhole ? [1] : PARTS) {
    const step = part * (high - low) / (2 ** bits - 1);
    if (step === 0) return 0;
    const [first, last] = [Math.round(part * low / step), Math.round(part * high / step)];
    const steps = factors.map((factor) => factor * step);
    const inverses = steps.map((each) => 1 / each);
    let sum = 0;
    for (let i = 0, j = 0; i < rows.length; i++, j = j + 1 === channels ? 0 : j + 1) {
      const code = rows[i] * inverses[j] + ROUND - ROUND;
      const error = (code < first ? first : code > last ? last : code) * steps[j] - rows[i];
      sum += error * error * energy[j];
    }
    least = Math.min(least, sum / count);
  }
  return least;
}

/** Weights whose channels are looked up together. */
const CHUNK = 2 ** 14;

/**
 * What the rounding of a layer's weights adds to its output, with a step for each output channel, for each of the factors.
 * Channels of a weight are looked up once for all of them: that takes longer than the sums.
 */
function weightErrors(
  { weight: { data }, channels, inputChannel, outputChannel }: LinearLayer,
  candidates: readonly Float64Array[],
  power: Float64Array,
  bits: number,
): number[] {
  const all = candidates.map((factors) => ({
    factors,
    /** What each input channel adds to the outputs that see it: E[x²]/s². */
    parts: power.map((square, j) => square / (factors[j] * factors[j])),
    steps: new Float64Array(channels.output),
    seen: new Float64Array(channels.output),
  }));
  const outputs = new Int32Array(CHUNK);
  const inputs = new Int32Array(CHUNK);
  for (let start = 0; start < data.length; start += CHUNK) {
    const count = Math.min(CHUNK, data.length - start);
    for (let i = 0; i < count; i++) {
      outputs[i] = outputChannel(start + i);
      inputs[i] = inputChannel(start + i);
    }
    for (const { factors, parts, steps, seen } of all) {
      for (let i = 0; i < count; i++) {
        const size = Math.abs(data[start + i]) * factors[inputs[i]];
        if (size > steps[outputs[i]]) steps[outputs[i]] = size;
        seen[outputs[i]] += parts[inputs[i]];
      }
    }
  }
  const most = 2 ** (bits - 1) - 1;
  return all.map(({ steps, seen }) =>
    steps.reduce((sum, size, o) => {
      const step = size / most;
      return sum + step * step / 12 * seen[o];
    }, 0)
  );
}

/** Σ W² and the largest magnitude of the weights of each input channel. */
function weightSizes(layer: LinearLayer) {
  const energy = new Float64Array(layer.channels.input);
  const largest = new Float64Array(layer.channels.input);
  layer.weight.data.forEach((w, i) => {
    const j = layer.inputChannel(i);
    energy[j] += w * w;
    if (Math.abs(w) > largest[j]) largest[j] = Math.abs(w);
  });
  return { energy, largest };
}

function meanSquares(rows: Float32Array, channels: number): Float64Array {
  const sums = new Float64Array(channels);
  for (let i = 0, j = 0; i < rows.length; i++, j = j + 1 === channels ? 0 : j + 1) {
    sums[j] += rows[i] * rows[i];
  }
  const count = Math.max(1, rows.length / channels);
  return sums.map((sum) => sum / count);
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, x, i) => sum + x * b[i], 0);
}
