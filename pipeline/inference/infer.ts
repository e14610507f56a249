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
import type { Batch, InferredBatch, InputTensor, Tensor } from "../../core/tensor.ts";
import type { OnTime } from "../../core/timing.ts";
import type { InferenceSession } from "./runtime.ts";

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

/** An input of the model, with its dimensions (null = dynamic). */
export interface ModelInput {
  readonly name: string;
  readonly shape?: readonly (number | null)[];
}

/** Numbers in a batch, about: more are no faster on one core, and their activations take memory (measured). */
const BATCH_ELEMENTS = 2 ** 19;
const MAX_DEFAULT_BATCH = 8;

/** Samples per inference run when nobody says how many: 8 of small samples, down to 1 of large ones. */
export function defaultBatch(inputs: readonly ModelInput[]): number {
  const elements = inputs.map(({ shape }) =>
    shape?.slice(1).reduce((product: number, size) => product * (size ?? 1), 1) ?? 1
  ).reduce((sum, size) => sum + size, 0);
  return Math.max(1, Math.min(MAX_DEFAULT_BATCH, Math.floor(BATCH_ELEMENTS / elements)));
}

/**
 * Largest batch up to `wanted` that the model takes: a model with a fixed first dimension takes
 * that many samples and no others.
 */
export function batchSizeFor(inputs: readonly ModelInput[], wanted = defaultBatch(inputs)): number {
  const fixed = inputs.map(({ shape }) => shape?.[0]).find((size) => typeof size === "number");
  return fixed ?? wanted;
}

/**
 * The tensors of a batch by the names of the model's inputs. A sample without names feeds the only input.
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
  for (const { name, shape } of wanted) {
    const { dims } = feeds.get(name)!;
    const fits = shape === undefined ||
      (shape.length === dims.length && shape.every((size, i) => size === null || size === dims[i]));
    if (fits) continue;
    if (isPartOf(shape, dims)) {
      throw fail(
        `${shape[0]} samples at a time, as the model's fixed first dimension says`,
        `${dims[0]} left`,
        `Give a multiple of ${shape[0]} with ${
          option("samples")
        }, or a model with a dynamic first dimension`,
      );
    }
    const text = `[${shape.map((size) => size ?? "any").join(", ")}]`;
    throw fail(
      `shape ${text} for input ${JSON.stringify(name)}`,
      `[${dims.join(", ")}]`,
      "Check that these data belong to this model, and the layout (NCHW or NHWC) of the preprocessing",
    );
  }
  return feeds;
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
): TransformStream<Batch, InferredBatch> {
  const own = new Set(inputs.map(({ name }) => name));
  const outputs = watched.filter((name) => !own.has(name));
  return mapStream(async (batch: Batch) => {
    const feeds = feedsFor(batch, inputs);
    const before = performance.now();
    // Where only inputs are watched, the runtime would refuse a run for nothing.
    const results = outputs.length === 0 ? new Map() : await session.run(feeds, outputs);
    onTime?.("infer", performance.now() - before);
    const all = new Map<string, Tensor>();
    for (const name of watched) all.set(name, results.get(name) ?? feeds.get(name) as Tensor);
    return { batch, outputs: all };
  });
}
