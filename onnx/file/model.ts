/**
 * ONNX files to and from protobuf messages. Unknown fields survive, since `@bufbuild/protobuf` keeps
 * them in `$unknown`.
 *
 * @module
 */
import { fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
} from "./onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";
import { checkGraph } from "./check_graph.ts";

/** A model that surely has a graph. */
export type Model = ModelProto & { graph: GraphProto };

/**
 * Parses an ONNX file.
 *
 * @param bytes The whole file. The weights of the result are views into it: don't write to it.
 * @param name How error messages call the file.
 * @throws {PlimsollError} kind `input` for anything that isn't a whole ONNX model with its weights.
 */
export function readModel(bytes: Uint8Array, name: string): Model {
  const model = parseModel(bytes, name);
  const [external] = externalTensors(model.graph);
  if (external !== undefined) {
    throw new PlimsollError("model", {
      action: `reading model ${JSON.stringify(name)}`,
      wanted: "weights inside the file",
      found: `tensor ${JSON.stringify(external.name)} in an external data file`,
      remedy: "Save the model as one file (onnx.save_model with save_as_external_data=False)",
    });
  }
  return model;
}

/**
 * Parses an ONNX file whose weights may lie in other files; see `external_data.ts`, which reads them.
 *
 * @throws {PlimsollError} kind `input` for anything that isn't a whole ONNX model, kind `model` where nodes or tensors
 * aren't what ONNX says.
 */
export function parseModel(bytes: Uint8Array, name: string): Model {
  const fail = (found: string, cause?: unknown) =>
    new PlimsollError("input", {
      action: `reading model ${JSON.stringify(name)}`,
      wanted: "a complete ONNX file (a ModelProto with graph and opset)",
      found: `${found} (${bytes.length} bytes)`,
      remedy: "Check the path, or export or download the model again",
      cause,
    });
  if (bytes.length === 0) throw fail("an empty file");
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw fail("bytes that end early or are no protobuf message", cause);
  }
  const { graph } = model;
  if (graph === undefined || graph.node.length === 0) {
    throw fail("a protobuf message without a graph, or a graph without nodes");
  }
  if (graph.output.length === 0) throw fail("a graph without outputs");
  if (model.opsetImport.length === 0) throw fail("a model without opset imports, cut off perhaps");
  checkGraph(model);
  return model as Model;
}

/** Tensors of a graph, its attributes and its sub-graphs whose data lie in another file. */
export function externalTensors(graph: GraphProto): TensorProto[] {
  const attributes = graph.node.flatMap(({ attribute }) => attribute);
  const own = [
    ...graph.initializer,
    ...attributes.flatMap(({ t, tensors }) => t === undefined ? tensors : [t, ...tensors]),
  ];
  const inner = attributes.flatMap(({ g, graphs }) => g === undefined ? graphs : [g, ...graphs]);
  return [
    ...own.filter((tensor) => tensor.dataLocation === TensorProto_DataLocation.EXTERNAL),
    ...inner.flatMap(externalTensors),
  ];
}

/** Protobuf messages end here. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

/** Bytes of the weights that are stored raw, as nearly all are. */
export function weightBytes({ graph }: Model): number {
  return graph.initializer.reduce((sum, { rawData }) => sum + rawData.length, 0);
}

/**
 * Serialises a model. The inverse of {@linkcode readModel}, unknown fields included.
 *
 * @throws {PlimsollError} kind `output` when the weights are beyond what a protobuf message holds;
 * `splitWeights` of `external_data.ts` puts them beside it.
 */
export function writeModel(model: Model): Uint8Array<ArrayBuffer> {
  const bytes = weightBytes(model);
  if (bytes > MAX_FILE_BYTES) {
    throw new PlimsollError("output", {
      action: "writing the model as one file",
      wanted: `at most ${MAX_FILE_BYTES} bytes of weights`,
      found: `${bytes}`,
      remedy: "Write its weights as external data",
    });
  }
  return toBinary(ModelProtoSchema, model);
}

/** Version of the default operator set (`ai.onnx`), 0 when the model imports none. */
export function opsetVersion(model: ModelProto): number {
  const entry = model.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx");
  return Number(entry?.version ?? 0n);
}

/**
 * A shallow copy of a message with some fields replaced. Edits copy what they change and share the
 * rest, so that one prepared model can be emitted several times without copying its weights.
 * (A plain spread would lose proto2 defaults, which live on the prototype.)
 */
export function withFields<T extends Message>(
  message: T,
  fields: Partial<Omit<T, keyof Message>>,
): T {
  return Object.assign(Object.create(Object.getPrototypeOf(message)), message, fields);
}
