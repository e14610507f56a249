/**
 * Accuracy of a classifier, and how far a quantized model's outputs are from the float model's.
 *
 * @module
 */
import { exp, ln } from "../../core/portable_math.ts";

/** Running sums over samples for one model. */
export interface Metrics {
  samples: number;
  /** Samples with a label. */
  labelled: number;
  /** Labelled samples whose label has the largest output. */
  top1: number;
  /** Labelled samples whose label is among the five largest outputs. */
  top5: number;
  /** Samples with the same largest output as the first model. */
  agreement: number;
  /** Σ f² over all outputs of the first model. */
  signal: number;
  /** Σ (q − f)², f of the first model. */
  noise: number;
  /** Σ over samples of the cosine between the outputs and those of the first model. */
  cosine: number;
  /** Σ over labelled samples of the cross-entropy, in nats. */
  loss: number;
  /** By label: samples and hits. */
  readonly byClass: Map<number, { samples: number; top1: number }>;
}

/** Metrics of no sample. */
export function emptyMetrics(): Metrics {
  return {
    samples: 0,
    labelled: 0,
    top1: 0,
    top5: 0,
    agreement: 0,
    signal: 0,
    noise: 0,
    cosine: 0,
    loss: 0,
    byClass: new Map(),
  };
}

/**
 * Adds one sample.
 *
 * @param outputs Scores of the model under test, one a class.
 * @param reference Scores of the first model for the same sample.
 * @returns Whether the label has the largest output; undefined without a label.
 */
export function addSample(
  metrics: Metrics,
  outputs: Float32Array,
  reference: Float32Array,
  label: number | undefined,
): boolean | undefined {
  const best = argMax(outputs);
  metrics.samples++;
  if (best === argMax(reference)) metrics.agreement++;
  let [dot, own, first] = [0, 0, 0];
  for (let i = 0; i < outputs.length; i++) {
    // Where both are −Infinity, there is neither signal nor noise.
    if (Object.is(outputs[i], reference[i]) && !Number.isFinite(outputs[i])) continue;
    metrics.signal += reference[i] * reference[i];
    metrics.noise += (outputs[i] - reference[i]) ** 2;
    dot += outputs[i] * reference[i];
    own += outputs[i] * outputs[i];
    first += reference[i] * reference[i];
  }
  // Nothing but zeros points nowhere: it agrees with itself only.
  metrics.cosine += own === 0 || first === 0
    ? Number(own === first)
    : dot / (Math.sqrt(own) * Math.sqrt(first));
  if (label === undefined) return undefined;
  const entry = metrics.byClass.get(label) ?? { samples: 0, top1: 0 };
  metrics.byClass.set(label, entry);
  entry.samples++;
  metrics.labelled++;
  if (best === label) {
    metrics.top1++;
    entry.top1++;
  }
  if (rankOf(outputs, label) < 5) metrics.top5++;
  metrics.loss += isDistribution(reference)
    ? -ln(Math.max(outputs[label] ?? 0, MIN_PROBABILITY))
    : crossEntropy(outputs, label);
  return best === label;
}

/** Probabilities below this count as this, as in Keras: one that is quantized to 0 isn't infinitely wrong. */
const MIN_PROBABILITY = 1e-7;
/** How far from 1 the sum of probabilities may be: float32, and many classes. */
const MAX_SUM_ERROR = 1e-3;

/** Whether scores are probabilities, as a model that ends with Softmax gives, and no logits. */
function isDistribution(scores: Float32Array): boolean {
  let sum = 0;
  for (const score of scores) {
    if (!(score >= 0)) return false;
    sum += score;
  }
  return Math.abs(sum - 1) <= MAX_SUM_ERROR;
}

/** −log of the softmax of logits at `label`: log Σ exp(x − max) + max − x[label]. Infinite for a label beyond them. */
function crossEntropy(logits: Float32Array, label: number): number {
  if (label >= logits.length) return Infinity;
  const max = logits[argMax(logits)];
  let sum = 0;
  for (const x of logits) sum += exp(x - max);
  return ln(sum) + max - logits[label];
}

/** Index of the largest value; the first of equal ones. */
export function argMax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** How many values come before the one at `index`: larger ones, and equal ones further left. */
function rankOf(values: Float32Array, index: number): number {
  let rank = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i] > values[index] || values[i] === values[index] && i < index) rank++;
  }
  return index < values.length ? rank : Infinity;
}
