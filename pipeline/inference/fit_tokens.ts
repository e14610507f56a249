/**
 * Samples of token data in the length that the model takes: without padding wherever it can do without.
 *
 * @module
 */
import type { InputTensor, Sample } from "../../core/tensor.ts";
import {
  type RealRange,
  realRange,
  rowLength,
  tokenAxes,
  type TokenAxis,
} from "./attention_mask.ts";
import type { ModelInput } from "./model_inputs.ts";
import { fixedBatch } from "./infer.ts";

/**
 * Makes samples fit. Where the model takes any number of positions, padding at both ends is cut off all inputs of the
 * mask's shape, so that nothing padded is ever computed: a padded sample gives the very statistics of the bare one.
 * Where it takes a fixed number, shorter samples are filled up with zeros, which their mask says to be padding.
 *
 * A model of a fixed batch takes samples as they are, since a batch has one length.
 */
export function tokenFitter(inputs: readonly ModelInput[]): (sample: Sample) => Sample {
  const axes = tokenAxes(inputs);
  const isOneByOne = (fixedBatch(inputs) ?? 1) === 1;
  if (axes.length === 0) return (sample) => sample;
  return (sample) => axes.reduce((fitted, axis) => fit(fitted, axis, isOneByOne), sample);
}

function fit(sample: Sample, axis: TokenAxis, mayTrim: boolean): Sample {
  const range = realRange(sample, axis.mask.name);
  if (range === undefined) return sample;
  const { start, end, length } = range;
  // A mask that counts cached keys, too, is longer than the ids.
  if (rowsOf(sample, axis, length).every(([name]) => name === axis.mask.name)) return sample;
  if (axis.size === null) {
    return mayTrim && end - start < length
      ? withRows(sample, axis, range, (data) => data.slice(start, end))
      : sample;
  }
  const { size } = axis;
  if (length >= size) return sample;
  return withRows(sample, axis, range, (data) => {
    const filled = new (data.constructor as new (length: number) => InputTensor["data"])(size);
    filled.set(data as never);
    return filled;
  });
}

/** The inputs of a sample that have the axis and the length of the mask. */
function rowsOf(
  { input }: Sample,
  { inputs }: TokenAxis,
  length: number,
): [string, InputTensor][] {
  const names = new Set(inputs.map(({ name }) => name));
  return Object.entries(input as Readonly<Record<string, InputTensor>>).filter(([name, tensor]) =>
    names.has(name) && rowLength(tensor) === length
  );
}

/** The sample with these rows changed, and all else as it is. */
function withRows(
  sample: Sample,
  axis: TokenAxis,
  { length }: RealRange,
  change: (data: InputTensor["data"]) => InputTensor["data"],
): Sample {
  const changed = rowsOf(sample, axis, length).map(([name, tensor]) => {
    const data = change(tensor.data);
    return [name, { data, dims: [...tensor.dims.slice(0, -1), data.length] }] as const;
  });
  return { ...sample, input: { ...sample.input, ...Object.fromEntries(changed) } };
}
