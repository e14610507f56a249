/**
 * Search of weight steps: one for each output channel, from the weights alone.
 *
 * @module
 */

/** Weights of one layer as the search sees them. */
export interface WeightSearchInput {
  readonly data: Float32Array;
  readonly dims: readonly number[];
  /** Axis of the output channels. */
  readonly axis: number;
  /** 2 to 8; codes go from −(2^(bits−1) − 1) to 2^(bits−1) − 1. */
  readonly bits: number;
  /** Bias of each channel with the scale of the layer's input, for the int32 range of its codes. */
  readonly bias?: { readonly data: Float32Array; readonly inputScale: number };
}

/** Steps of one layer's weights. */
export interface WeightSteps {
  /** One float32 scale for each channel. */
  readonly scales: Float32Array;
  /** 10·log10(Σw² / Σ(Q(w) − w)²) in dB over the tensor; null when it isn't finite. */
  readonly sqnr: number | null;
  /** Channels whose step was widened so that the bias fits into 32 bits. */
  readonly widened: number;
}

/** Largest factor on max/limit that is tried; `accuracy.md`: 1 to 1.3. */
const MAX_FACTOR = 1.3;
/** Candidates per channel for small channels, which gain most from a fine search. */
const MAX_CANDIDATES = 1000;
/** Work per channel is bounded: beyond this many weights × candidates, fewer candidates are tried. */
const WORK_PER_CHANNEL = 2 ** 18;
const MIN_CANDIDATES = 64;
/** Largest bias code, a little below 2^31 so that rounding can't pass it. */
const MAX_BIAS_CODE = 2 ** 31 - 2 ** 8;
/** Smallest step: with any input scale above 2^−62 the product is a normal float32. */
const MIN_STEP = 2 ** -64;

/**
 * For each channel the step of least squared error among max·r/limit, r from 1 to 1.3: it never
 * clips. Clipping shrinks the largest weights of a channel together, a coherent error that squared
 * error underrates; a slightly larger step that happens to fit the weights costs nothing (measured:
 * 3 to 5 dB of output SQNR after bias correction, `accuracy.md`).
 */
export function searchWeightSteps(input: WeightSearchInput): WeightSteps {
  const { dims, axis, bits, bias } = input;
  const limit = 2 ** (bits - 1) - 1;
  const channels = dims[axis];
  const scales = new Float32Array(channels);
  let signal = 0;
  let noise = 0;
  let widened = 0;
  for (let c = 0; c < channels; c++) {
    const weights = channelWeights(input, c);
    const biasFloor = bias === undefined
      ? 0
      : Math.abs(bias.data[c]) / bias.inputScale / MAX_BIAS_CODE;
    const { step, error, isWidened } = searchChannel(weights, limit, biasFloor);
    scales[c] = step;
    noise += error;
    for (const w of weights) signal += w * w;
    if (isWidened) widened++;
  }
  const sqnr = 10 * Math.log10(signal / noise);
  return { scales, sqnr: Number.isFinite(sqnr) ? sqnr : null, widened };
}

function searchChannel(weights: Float64Array, limit: number, biasFloor: number) {
  let max = 0;
  for (const w of weights) max = Math.max(max, Math.abs(w));
  const least = Math.max(max / limit, biasFloor, MIN_STEP);
  if (max === 0) {
    // Any step is exact for zeros. One that gives the bias most of its 32 bits keeps it precise.
    const step = float32AtLeast(biasFloor > 0 ? least : 1);
    return { step, error: 0, isWidened: false };
  }
  const candidates = Math.max(
    MIN_CANDIDATES,
    Math.min(MAX_CANDIDATES, Math.floor(WORK_PER_CHANNEL / weights.length)),
  );
  let best = { step: 0, error: Infinity };
  for (let i = 0; i < candidates; i++) {
    const step = float32AtLeast(least * (1 + (MAX_FACTOR - 1) * i / (candidates - 1)));
    const error = squaredError(weights, step, best.error);
    if (error < best.error) best = { step, error };
  }
  return { ...best, isWidened: least > max / limit };
}

/** Adding and taking away 1.5·2^52 rounds a float64 below 2^51 to the nearest integer, ties to even. */
const ROUND = 1.5 * 2 ** 52;

/** Σ (step·round(w/step) − w)², given up once it passes `bound`. */
function squaredError(weights: Float64Array, step: number, bound: number): number {
  let sum = 0;
  for (let i = 0; i < weights.length && sum < bound; i++) {
    const w = weights[i];
    const difference = (w / step + ROUND - ROUND) * step - w;
    sum += difference * difference;
  }
  return sum;
}

/** The least float32 that is at least `x`, so that rounding the step never makes it clip. */
function float32AtLeast(x: number): number {
  const near = Math.fround(x);
  if (near >= x) return near;
  const bits = new Uint32Array(Float32Array.of(near).buffer);
  bits[0]++;
  return new Float32Array(bits.buffer)[0];
}

function channelWeights({ data, dims, axis }: WeightSearchInput, channel: number): Float64Array {
  const stride = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const channels = dims[axis];
  const outer = data.length / stride / channels;
  const weights = new Float64Array(outer * stride);
  for (let o = 0; o < outer; o++) {
    const start = (o * channels + channel) * stride;
    weights.set(data.subarray(start, start + stride), o * stride);
  }
  return weights;
}
