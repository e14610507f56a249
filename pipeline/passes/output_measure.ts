/**
 * How far the outputs of a model are from those of the float model.
 *
 * @module
 */
import { exp, ln } from "../../core/portable_math.ts";
import type { Tensor } from "../../core/tensor.ts";

/** Outputs of one run, by name. */
export type Outputs = ReadonlyMap<string, Tensor>;

/**
 * A measure of all runs together, 0 where nothing differs, that adds up over causes which don't know of each other.
 *
 * @param reference Outputs of the float model, run by run.
 * @param found Those of the other model.
 */
export type OutputMeasure = (reference: readonly Outputs[], found: readonly Outputs[]) => number;

/** Names of measures that come along. */
export const MEASURES = ["squared", "kl"] as const;
/** One of {@linkcode MEASURES}. */
export type MeasureName = (typeof MEASURES)[number];

/** A measure by its name. */
export function measureNamed(name: MeasureName): OutputMeasure {
  return name === "squared" ? squaredError : divergence;
}

/**
 * Σ over float outputs of Σ(y′ − y)² / Σy². Where the float model gives NaN or infinity (masks do) there is nothing to
 * compare; where only the other gives it, the error is infinite.
 */
export const squaredError: OutputMeasure = (reference, found) => {
  const sums = new Map<string, { power: number; noise: number }>();
  reference.forEach((outputs, run) => {
    for (const [name, { data }] of outputs) {
      if (!(data instanceof Float32Array)) continue;
      const other = found[run].get(name)!.data;
      const entry = sums.get(name) ?? { power: 0, noise: 0 };
      sums.set(name, entry);
      for (let i = 0; i < data.length; i++) {
        if (data[i] - data[i] !== 0) continue;
        const difference = other[i] - data[i];
        entry.power += data[i] * data[i];
        entry.noise += Number.isNaN(difference) ? Infinity : difference * difference;
      }
    }
  });
  return [...sums.values()].reduce(
    (sum, { power, noise }) => sum + (power === 0 ? 0 : noise / power),
    0,
  );
};

/**
 * Mean of KL(softmax(y) ‖ softmax(y′)) over the rows of the first float output, in nats: what classes lose. Rows lie along
 * its last axis.
 */
export const divergence: OutputMeasure = (reference, found) => {
  let [sum, rows] = [0, 0];
  reference.forEach((outputs, run) => {
    const first = [...outputs].find(([, { data }]) => data instanceof Float32Array);
    if (first === undefined) return;
    const [name, { data, dims }] = first;
    const width = dims.at(-1) ?? 1;
    const other = found[run].get(name)!.data;
    for (let from = 0; from + width <= data.length; from += width) {
      const p = logSoftmax(data.subarray(from, from + width));
      const q = logSoftmax(other.subarray(from, from + width));
      sum += p.reduce((total, l, i) => total + exp(l) * (l - q[i]), 0);
      rows++;
    }
  });
  return rows === 0 ? 0 : Math.max(0, sum / rows);
};

function logSoftmax(values: Float32Array): number[] {
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const shifted = Array.from(values, (x) => x - most);
  const total = ln(shifted.reduce((sum, x) => sum + exp(x), 0));
  return shifted.map((x) => x - total);
}
