/**
 * Samples into batches.
 *
 * @module
 */
import { type Batch, inputsOf, type InputTensor, type Sample } from "../../core/tensor.ts";

/** Samples per batch, or how many of samples like the first one of a batch. */
export type BatchSize = number | ((sample: Sample) => number);

/**
 * A stage that stacks up to `size` consecutive samples along a new axis 0. A sample of another shape begins a new
 * batch, so that models with dynamic dimensions take samples of any shapes; the last batch may be smaller.
 *
 * @param size Samples per batch, an integer of at least 1; or how many of samples like the first one of a batch.
 * @param fit What becomes of each sample before.
 */
export function batchSamples(
  size: BatchSize,
  fit: (sample: Sample) => Sample = (sample) => sample,
): TransformStream<Sample, Batch> {
  if (typeof size === "number" && (!Number.isInteger(size) || size < 1)) {
    throw new RangeError(`Cannot batch samples: size must be an integer >= 1, got ${size}`);
  }
  let pending: Sample[] = [];
  let kind = "";
  let wanted = 0;
  return new TransformStream<Sample, Batch>({
    transform: (given, controller) => {
      const sample = fit(given);
      const next = kindOf(sample);
      if (pending.length > 0 && next !== kind) {
        controller.enqueue(stack(pending));
        pending = [];
      }
      kind = next;
      if (pending.length === 0) wanted = typeof size === "number" ? size : size(sample);
      pending.push(sample);
      if (pending.length < wanted) return;
      controller.enqueue(stack(pending));
      pending = [];
    },
    flush: (controller) => {
      if (pending.length > 0) controller.enqueue(stack(pending));
    },
  });
}

/** Names, types and shapes of a sample's inputs: what has to agree in a batch. */
function kindOf(sample: Sample): string {
  return JSON.stringify(
    inputsOf(sample).map(([name, { data, dims }]) => [name, data.constructor.name, dims]),
  );
}

function stack(samples: readonly Sample[]): Batch {
  const all = samples.map(inputsOf);
  const inputs = all[0].map(([name, first], i): [string, InputTensor] => {
    const length = first.data.length;
    const make = first.data.constructor as new (length: number) => InputTensor["data"];
    const data = new make(length * samples.length);
    all.forEach((tensors, s) => data.set(tensors[i][1].data as never, s * length));
    return [name, { data, dims: [samples.length, ...first.dims] }];
  });
  return { samples, inputs: new Map(inputs) };
}
