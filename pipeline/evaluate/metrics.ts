/**
 * Accuracy of a classifier, and how far a quantized model's outputs are from the float model's.
 *
 * @module
 */

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
    byClass: new Map(),
  };
}

/**
 * Adds one sample.
 *
 * @param outputs Scores of the model under test, one a class.
 * @param reference Scores of the first model for the same sample.
 */
export function addSample(
  metrics: Metrics,
  outputs: Float32Array,
  reference: Float32Array,
  label: number | undefined,
): void {
  const best = argMax(outputs);
  metrics.samples++;
  if (best === argMax(reference)) metrics.agreement++;
  for (let i = 0; i < outputs.length; i++) {
    // Where both are −Infinity, there is neither signal nor noise.
    if (Object.is(outputs[i], reference[i]) && !Number.isFinite(outputs[i])) continue;
    metrics.signal += reference[i] ** 2;
    metrics.noise += (outputs[i] - reference[i]) ** 2;
  }
  if (label === undefined) return;
  const entry = metrics.byClass.get(label) ?? { samples: 0, top1: 0 };
  metrics.byClass.set(label, entry);
  entry.samples++;
  metrics.labelled++;
  if (best === label) {
    metrics.top1++;
    entry.top1++;
  }
  if (rankOf(outputs, label) < 5) metrics.top5++;
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
