/**
 * The inference stage: batches to batches with activations.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import { ValueInfoProtoSchema } from "../../onnx/file/onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { type Model, withFields } from "../../onnx/file/model.ts";
import { mapStream } from "../../core/map_stream.ts";
import {
  type Batch,
  type InferredBatch,
  inputsOf,
  type InputTensor,
  type Sample,
  type Tensor,
} from "../../core/tensor.ts";
import type { OnTime } from "../../core/timing.ts";
import type { BatchSize } from "../source/batches.ts";
import { isBatched, type ModelInput } from "./model_inputs.ts";
import { type OnSingle, runBatch } from "./run_batch.ts";
import type { InferenceSession } from "./runtime.ts";

export { type ModelInput, modelInputs } from "./model_inputs.ts";

/**
 * The model with more of its tensors as outputs. Only what will be quantized should be watched: an
 * output in front of a fused activation would block the runtime's own fusion and change its bits.
 */
export function exposeTensors(model: Model, tensors: readonly string[]): Model {
  const { graph } = model;
  const known = new Set([...graph.output, ...graph.input].map(({ name }) => name));
  const added = tensors.filter((name) => !known.has(name));
  const output = [...graph.output, ...added.map((name) => create(ValueInfoProtoSchema, { name }))];
  return withFields<Model>(model, { graph: withFields(graph, { output }) });
}

/** Numbers in a batch, about: more are no faster on one core, and their activations take memory (measured). */
const BATCH_ELEMENTS = 2 ** 18;
/** Samples in a batch at most, when nobody says how many. */
export const MAX_DEFAULT_BATCH = 8;

/** Samples of this size in a run: 8 of small ones, down to 1 of large ones. */
function batchFor(elements: number): number {
  return Math.max(1, Math.min(MAX_DEFAULT_BATCH, Math.floor(BATCH_ELEMENTS / elements)));
}

/** Numbers in a sample. */
function elementsOf(sample: Sample): number {
  return inputsOf(sample).reduce((sum, [_, { data }]) => sum + data.length, 0);
}

/**
 * Samples per run: as many as are wanted, by their own size when nobody says how many. A model with a fixed first
 * dimension takes that many samples and no others; one whose inputs don't all count samples along it takes one.
 */
export function batchSizeFor(
  inputs: readonly ModelInput[],
  wanted?: number,
): BatchSize {
  const fixed = fixedBatch(inputs);
  return fixed ?? wanted ?? ((sample) => batchFor(elementsOf(sample)));
}

/** Samples that a run must have, of models that take no other number. */
export function fixedBatch(inputs: readonly ModelInput[]): number | undefined {
  if (!isBatched(inputs)) return 1;
  return inputs.map(({ shape }) => shape?.[0]).find((size) => typeof size === "number");
}

/**
 * The tensors of a batch by the names of the model's inputs, in the shapes that it takes. A sample without names feeds the
 * only input.
 *
 * @throws {PlimsollError} kind `data` naming sample, inputs and shapes when they don't fit.
 */
export function feedsFor(
  { inputs, samples }: Batch,
  wanted: readonly ModelInput[],
): Map<string, InputTensor> {
  const unnamed = inputs.get("");
  const feeds = unnamed !== undefined && inputs.size === 1 && wanted.length === 1
    ? new Map([[wanted[0].name, unnamed]])
    : new Map(inputs);
  const fail = (want: string, found: string, remedy: string) =>
    new PlimsollError("data", {
      action: `feeding ${JSON.stringify(samples[0].id)} to the model`,
      wanted: want,
      found,
      remedy,
    });
  const names = (list: Iterable<string>) =>
    [...list].map((name) => name === "" ? "one without a name" : JSON.stringify(name)).join(", ");
  if (feeds.size !== wanted.length || wanted.some(({ name }) => !feeds.has(name))) {
    throw fail(
      `inputs ${names(wanted.map(({ name }) => name))}`,
      names(feeds.keys()) || "none",
      "Give data with these names, as .npz or NDJSON can have them",
    );
  }
  for (const input of wanted) {
    const { name, shape } = input;
    const { data, dims } = feeds.get(name)!;
    const arranged = arrange(dims, input);
    if (arranged !== undefined) {
      feeds.set(name, { data, dims: arranged } as InputTensor);
      continue;
    }
    if (input.batchAxis !== null && isPartOf(shape!, dims)) {
      throw fail(
        `${shape![0]} samples at a time, as the model's fixed first dimension says`,
        `${dims[0]} left`,
        `Give a multiple of ${shape![0]} with ${
          option("samples")
        }, or a model with a dynamic first dimension`,
      );
    }
    const text = `[${shape!.map((size) => size ?? "any").join(", ")}]`;
    throw fail(
      `shape ${text} for input ${JSON.stringify(name)}`,
      `[${dims.join(", ")}]`,
      input.batchAxis === null
        ? `This input has no axis of samples: save it once for each of them, numpy.repeat(x[None], n, axis=0)`
        : remedyFor(shape!, dims),
    );
  }
  return feeds;
}

/**
 * The shape in which an input takes a batch, or undefined where it doesn't.
 *
 * @param dims Samples, then the shape of one.
 */
function arrange(
  dims: readonly number[],
  { shape, batchAxis = 0 }: ModelInput,
): readonly number[] | undefined {
  if (shape === undefined) return dims;
  const [count, ...own] = dims;
  const candidates = batchAxis === 0
    // A sample may have been saved with an axis of one in front, as a batch of itself.
    ? [dims, ...(own[0] === 1 ? [[count, ...own.slice(1)]] : []), ...(count === 1 ? [own] : [])]
    : count !== 1
    ? []
    : batchAxis === null
    ? [own, ...(own[0] === 1 ? [own.slice(1)] : [])]
    : [own.toSpliced(batchAxis, 0, 1), own];
  return candidates.find((found) => fitsShape(shape, found));
}

function fitsShape(shape: readonly (number | null)[], found: readonly number[]): boolean {
  return shape.length === found.length &&
    shape.every((size, i) => size === null || size === found[i]);
}

/** What most likely is wrong, and the options that mend it. */
function remedyFor(shape: readonly (number | null)[], dims: readonly number[]): string {
  if (fitsShape(shape, dims.slice(1))) {
    const rest = shape.slice(1).map((size, i) => size ?? dims[i + 2]).join(", ");
    return `The model's first axis counts samples, ${shape[0]} a run: save the data along it, ` +
      `numpy.reshape(x, (-1, ${rest}))`;
  }
  const [channels, height, width] = shape.slice(1);
  const [foundChannels, foundHeight, foundWidth] = dims.slice(1);
  if (shape.length !== 4 || dims.length !== 4) {
    return "Check that these data belong to this model";
  }
  const layout = layoutFor(shape, dims);
  if (layout !== undefined) {
    const axes = layout === "NCHW" ? "0, 3, 1, 2" : "0, 2, 3, 1";
    return `Check the order of the axes: ${option("layout", layout)} makes images so; ` +
      `arrays of numbers are taken as they are, save them as numpy.transpose(x, (${axes}))`;
  }
  if (channels !== null && channels !== foundChannels) {
    return channels === 1
      ? 'Make images grey: a preprocessing file with "grayscale": true'
      : `Give images of ${channels} channels`;
  }
  return height === width && height !== null && (foundHeight !== height || foundWidth !== width)
    ? `Resize the images: ${option("resize", Math.round(height * 256 / 224))} ${
      option("crop", height)
    }, or ${option("preprocess", "imagenet")} where the model was trained so`
    : `Resize the images: ${option("resize", `${width ?? foundWidth}x${height ?? foundHeight}`)}`;
}

/** The order of axes in which the data would fit, or at least have the right channels. */
function layoutFor(
  shape: readonly (number | null)[],
  dims: readonly number[],
): "NCHW" | "NHWC" | undefined {
  const [count, a, b, c] = dims;
  if (fitsShape(shape, [count, c, a, b])) return "NCHW";
  if (fitsShape(shape, [count, b, c, a])) return "NHWC";
  if (shape[1] === c) return "NCHW";
  return a === shape[3] && shape[1] !== a ? "NHWC" : undefined;
}

/** Whether a shape is that of a batch, but of fewer samples. */
function isPartOf(shape: readonly (number | null)[], dims: readonly number[]): boolean {
  return shape.length === dims.length && shape[0] !== null && dims[0] < shape[0] &&
    shape.every((size, i) => i === 0 || size === null || size === dims[i]);
}

/**
 * A stage that runs the model on every batch, one at a time, and passes on the tensors in
 * `watched`. An input of the model, when watched, is the batch itself.
 */
export function inferBatches(
  session: InferenceSession,
  inputs: readonly ModelInput[],
  watched: readonly string[],
  onTime?: OnTime,
  onSingle?: OnSingle,
): TransformStream<Batch, InferredBatch> {
  const own = new Set(inputs.map(({ name }) => name));
  const outputs = watched.filter((name) => !own.has(name));
  return mapStream(async (batch: Batch) => {
    const feeds = feedsFor(batch, inputs);
    const before = performance.now();
    // Where only inputs are watched, the runtime would refuse a run for nothing.
    const { length } = batch.samples;
    const results = outputs.length === 0
      ? new Map()
      : await runBatch(session, feeds, outputs, length, onSingle);
    onTime?.("infer", performance.now() - before);
    const all = new Map<string, Tensor>();
    for (const name of watched) all.set(name, results.get(name) ?? feeds.get(name) as Tensor);
    return { batch, outputs: all };
  });
}
