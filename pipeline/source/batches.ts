/**
 * Samples into batches.
 *
 * @module
 */
import { PlimsollError } from "../../tpc/core/errors.ts";
import type { Batch, Sample } from "../core/tensor.ts";

/**
 * A stage that stacks `size` consecutive samples along a new axis 0. The last batch may be smaller.
 * Samples of different shapes can't share a batch: it fails with {@linkcode PlimsollError} kind `data`.
 *
 * @param size Samples per batch, an integer of at least 1.
 */
export function batchSamples(size: number): TransformStream<Sample, Batch> {
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`Cannot batch samples: size must be an integer >= 1, got ${size}`);
  }
  let pending: Sample[] = [];
  return new TransformStream<Sample, Batch>({
    transform: (sample, controller) => {
      pending.push(sample);
      if (pending.length < size) return;
      controller.enqueue(stack(pending));
      pending = [];
    },
    flush: (controller) => {
      if (pending.length > 0) controller.enqueue(stack(pending));
    },
  });
}

function stack(samples: readonly Sample[]): Batch {
  const { dims } = samples[0].input;
  const length = samples[0].input.data.length;
  const data = new Float32Array(length * samples.length);
  samples.forEach((sample, i) => {
    if (sample.input.dims.join() !== dims.join()) {
      throw new PlimsollError("data", {
        action: `batching ${JSON.stringify(sample.id)}`,
        wanted: `samples of one shape, [${dims}] as the first of the batch`,
        found: `[${sample.input.dims}]`,
        remedy: "Use --batch 1 for samples of varying shape",
      });
    }
    data.set(sample.input.data, i * length);
  });
  return { samples, input: { data, dims: [samples.length, ...dims] } };
}
