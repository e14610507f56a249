/**
 * Activations without those of padding, for models that take a fixed number of positions: there padding is computed, and
 * is no data all the same.
 *
 * @module
 */
import {
  type InferredBatch,
  inputsOf,
  type Sample,
  sampleOf,
  type Tensor,
} from "../../core/tensor.ts";
import { type RealRange, realRange, tokenAxes } from "./attention_mask.ts";
import type { ModelInput } from "./model_inputs.ts";

/**
 * Cuts a batch into its samples, and their activations to the positions that are data; a batch without padding stays
 * as it is.
 *
 * Which axes count positions isn't in the file. Those of as many elements as the mask has are taken for them, apart from
 * the first, which counts samples, unless it has a row for each position; and from the last of tensors [batch, positions,
 * channels]. Where it can't be told, since channels of a head, or of what is pooled, are as many as positions, a tensor is
 * left whole: padding counts there. So do the columns of attention without an axis of heads.
 */
export function paddingCropper(
  inputs: readonly ModelInput[],
): (batch: InferredBatch) => InferredBatch[] {
  const axes = tokenAxes(inputs);
  return (inferred) => {
    const { samples } = inferred.batch;
    const ranges = samples.map((sample) =>
      axes.map(({ mask }) => realRange(sample, mask.name)).filter(isPadded)
    );
    if (ranges.every((padded) => padded.length === 0)) return [inferred];
    const channels = channelSizes(inferred.outputs);
    return samples.map((sample, i) => {
      const outputs = [...inferred.outputs].map(([name, tensor]): [string, Tensor] => {
        const own = partOf(tensor, i, samples.length);
        return [name, ranges[i].reduce((whole, range) => crop(whole, range, channels), own)];
      });
      return { batch: batchOf(sample), outputs: new Map(outputs) };
    });
  };
}

function isPadded(range: RealRange | undefined): range is RealRange {
  return range !== undefined && range.end - range.start < range.length;
}

function batchOf(sample: Sample): InferredBatch["batch"] {
  const inputs = inputsOf(sample).map(([name, { data, dims }]) =>
    [name, { data, dims: [1, ...dims] }] as const
  );
  return { samples: [sample], inputs: new Map(inputs) };
}

/** What a tensor has of a sample; all of it where samples share it, as they do a table of positions. */
function partOf(tensor: Tensor, i: number, size: number): Tensor {
  const [first = 1] = tensor.dims;
  return first % size === 0 ? sampleOf(tensor, i, size) : tensor;
}

/** Channels of the tensors [batch, positions, channels]; none without such tensors. */
function channelSizes(outputs: ReadonlyMap<string, Tensor>): ReadonlySet<number> {
  return new Set(
    [...outputs.values()].flatMap(({ dims }) => dims.length === 3 ? [dims[2]] : []),
  );
}

function crop(tensor: Tensor, range: RealRange, channels: ReadonlySet<number>): Tensor {
  const axes = positionAxes(tensor, range, channels);
  return axes.reduce((whole, axis) => cropAxis(whole, axis, range), tensor);
}

function positionAxes(
  { dims }: Tensor,
  { length }: RealRange,
  channels: ReadonlySet<number>,
): number[] {
  const found = dims.flatMap((size, axis) => axis > 0 && size === length ? [axis] : []);
  switch (dims.length) {
    case 2:
      // Rows of all positions, one below the other.
      if (dims[0] === length) return [0];
      // What is pooled has channels in the same place.
      return channels.size === 0 || channels.has(length) ? [] : found;
    case 3:
      return found[0] === 1 ? [1] : found;
    default: {
      // Heads × positions being channels, positions may as well be the channels of a head.
      const isUnclear = dims.slice(1).some((size) => channels.has(size * length));
      return found.length > 1 && isUnclear ? [] : found;
    }
  }
}

/** Elements `start` to before `end` along an axis. */
function cropAxis({ data, dims }: Tensor, axis: number, { start, end, length }: RealRange): Tensor {
  const inner = dims.slice(axis + 1).reduce((product, size) => product * size, 1);
  const outer = data.length / (inner * length);
  const kept = (end - start) * inner;
  // Outputs may be codes, of other types than they are declared here.
  const make = data.constructor as new (length: number) => Float32Array;
  const cropped = new make(outer * kept);
  for (let i = 0; i < outer; i++) {
    const from = (i * length + start) * inner;
    cropped.set(data.subarray(from, from + kept), i * kept);
  }
  return { data: cropped, dims: dims.with(axis, end - start) };
}
