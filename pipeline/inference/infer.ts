/**
 * The inference stage: batches to batches with activations.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import { ValueInfoProtoSchema } from "onnx-buf";
import { PlimsollError } from "../../tpc/core/errors.ts";
import { type Model, withFields } from "../../tpc/onnx/model.ts";
import type { GraphOutline } from "../../tpc/onnx/outline.ts";
import { mapStream } from "../core/map_stream.ts";
import type { Batch, InferredBatch, Tensor } from "../core/tensor.ts";
import type { InferenceSession } from "./session.ts";

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

/** The one float input that calibration samples feed, with its dimensions (null = dynamic). */
export interface ModelInput {
  readonly name: string;
  readonly shape?: readonly (number | null)[];
}

/**
 * Finds the input for samples.
 *
 * @throws {PlimsollError} kind `model` unless the model has exactly one input, of float32.
 */
export function sampleInput(outline: GraphOutline): ModelInput {
  const [input] = outline.inputs;
  if (outline.inputs.length === 1 && input.type === "float") return input;
  throw new PlimsollError("model", {
    action: "looking for the model's input",
    wanted: "one float32 input",
    found: outline.inputs.map(({ name, type }) => `${JSON.stringify(name)} (${type})`).join(", ") ||
      "none",
    remedy: "Give a model with one float32 input",
  });
}

/**
 * Largest batch up to `wanted` that the model takes: a model with a fixed first dimension takes
 * that many samples and no others.
 */
export function batchSizeFor(input: ModelInput, wanted: number): number {
  return input.shape?.[0] ?? wanted;
}

/**
 * Checks one batch against the model's declared input shape.
 *
 * @throws {PlimsollError} kind `data` naming sample and shapes.
 */
export function checkShape({ input, samples }: Batch, { name, shape }: ModelInput): void {
  if (shape === undefined) return;
  const { dims } = input;
  if (shape.length === dims.length && shape.every((size, i) => size === null || size === dims[i])) {
    return;
  }
  const text = (sizes: readonly (number | null)[]) =>
    `[${sizes.map((size) => size ?? "any").join(", ")}]`;
  throw new PlimsollError("data", {
    action: `feeding ${JSON.stringify(samples[0].id)} to the model`,
    wanted: `shape ${text(shape)} for input ${JSON.stringify(name)}`,
    found: text(dims),
    remedy:
      "Check that these data belong to this model, and the layout (NCHW or NHWC) of the preprocessing",
  });
}

/**
 * A stage that runs the model on every batch, one at a time, and passes on the tensors in
 * `watched`. The model's input, when watched, is the batch itself.
 */
export function inferBatches(
  session: InferenceSession,
  input: ModelInput,
  watched: readonly string[],
): TransformStream<Batch, InferredBatch> {
  const outputs = watched.filter((name) => name !== input.name);
  return mapStream(async (batch: Batch) => {
    checkShape(batch, input);
    const results = await session.run(new Map([[input.name, batch.input]]), outputs);
    const all = new Map<string, Tensor>();
    for (const name of watched) all.set(name, results.get(name) ?? batch.input);
    return { batch, outputs: all };
  });
}
