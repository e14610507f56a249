/**
 * Weights outside the ONNX file, as models beyond protobuf's limit of 2 GiB have them.
 *
 * In memory a model always has its weights, each tensor in an array of its own or as a view into the
 * file, so that nothing else needs to know where they came from. The bound: the weights once, plus once
 * more in the runtime while a session lives, plus a second version of those that preparation folds.
 * No step puts them into one array: reading fetches tensor by tensor, a session gets them by
 * {@linkcode detachWeights}, and writing by {@linkcode splitWeights}.
 *
 * @module
 */
import { clearField, create } from "@bufbuild/protobuf";
import {
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from "./onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";
import { externalTensors, type Model, parseModel, withFields } from "./model.ts";
import { byteLength } from "./tensor.ts";

/**
 * Reads `length` bytes from `offset` on of a file beside the model. `location` is relative to the
 * model's folder and doesn't leave it. Whoever has files gives one; this folder has none.
 */
export type SideFileReader = (
  location: string,
  offset: number,
  length: number,
) => Promise<Uint8Array>;

/** A model and the weights that came from other files. */
export interface ModelWithData {
  /** The model with all its weights. */
  readonly model: Model;
  /** Data of each external tensor in the order of the file, shared with the model; for hashes. */
  readonly external: readonly Uint8Array[];
}

/**
 * Parses an ONNX file and reads its external data.
 *
 * @param name How error messages call the file.
 * @throws {PlimsollError} kind `input` as `readModel` does, kind `model` when external data lie outside
 * the model's folder or don't fit their tensor; what `read` throws goes through.
 */
export async function readModelWithData(
  bytes: Uint8Array,
  name: string,
  read: SideFileReader,
): Promise<ModelWithData> {
  const model = parseModel(bytes, name);
  const external: Uint8Array[] = [];
  let total = 0;
  for (const tensor of externalTensors(model.graph)) {
    const { location, offset, length } = placeOf(tensor, name);
    total += length;
    if (total > MAX_EXTERNAL_BYTES) {
      throw new PlimsollError("model", {
        action: `reading external data of ${JSON.stringify(name)}`,
        wanted: `at most ${MAX_EXTERNAL_BYTES} bytes of them, what a runtime in WebAssembly holds`,
        found: `${total} and more`,
        remedy: "Give a smaller model",
      });
    }
    const data = await read(location, offset, length);
    // Nobody else has seen this message yet.
    Object.assign(tensor, { rawData: data, externalData: [] });
    clearField(tensor, TensorProtoSchema.field.dataLocation);
    external.push(data);
  }
  return { model, external };
}

/** Most that external data may be together: several tensors can name the same bytes, so a small file is no bound. */
const MAX_EXTERNAL_BYTES = 2 ** 32;

/** Where the data of an external tensor are. */
interface Place {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

function placeOf(tensor: TensorProto, model: string): Place {
  const fail = (wanted: string, found: string) =>
    new PlimsollError("model", {
      action: `reading external data of tensor ${JSON.stringify(tensor.name)} of ` +
        JSON.stringify(model),
      wanted,
      found,
      remedy: "Save the model again (onnx.save_model), with its data in the same folder",
    });
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location") ?? "";
  if (!staysInFolder(location)) {
    throw fail("a file in the folder of the model or below", JSON.stringify(location));
  }
  const number = (key: string, fallback: number | undefined) => {
    const text = entries.get(key);
    const value = text === undefined ? fallback : /^\d+$/.test(text) ? Number(text) : NaN;
    if (value === undefined || !Number.isSafeInteger(value)) {
      throw fail(`a number of bytes as ${key}`, JSON.stringify(text ?? "nothing"));
    }
    return value;
  };
  const expected = byteLength(tensor);
  const [offset, length] = [number("offset", 0), number("length", expected)];
  if (expected !== undefined && length !== expected) {
    throw fail(`${expected} bytes for its type and shape`, `${length}`);
  }
  return { location, offset, length };
}

/** Whether a path is relative and has no way up, on any system. */
function staysInFolder(location: string): boolean {
  return location !== "" && !/^[/\\]|^[A-Za-z]:|\0/.test(location) &&
    !location.split(/[/\\]/).includes("..");
}

/** Weights of fewer bytes stay in the model. */
const MIN_DETACHED_BYTES = 1 << 16;

/** What {@linkcode detachWeights} makes. */
export interface DetachedWeights {
  /** The model without its large weights. */
  readonly model: Model;
  /** Their data by the location that the model names: one file for each tensor, shared, not copied. */
  readonly data: ReadonlyMap<string, Uint8Array>;
}

/** Takes large weights out of a model, so that it can be serialised without copying them. */
export function detachWeights(model: Model, minBytes = MIN_DETACHED_BYTES): DetachedWeights {
  const data = new Map<string, Uint8Array>();
  const initializer = model.graph.initializer.map((tensor, i) => {
    if (tensor.rawData.length < minBytes) return tensor;
    const location = `weights/${i}`;
    data.set(location, tensor.rawData);
    return outside(tensor, { location, offset: 0, length: tensor.rawData.length });
  });
  if (data.size === 0) return { model, data };
  return {
    model: withFields<Model>(model, { graph: withFields(model.graph, { initializer }) }),
    data,
  };
}

/** Where a tensor begins in a data file: at a multiple of a page, so that runtimes can map it. */
const ALIGNMENT_BYTES = 4096;

/** What {@linkcode splitWeights} makes. */
export interface SplitWeights {
  /** The model, whose large weights are said to be in the data file. */
  readonly model: Model;
  /** The data file in pieces, to be written one after the other; empty when nothing is outside. */
  readonly data: readonly Uint8Array[];
}

/**
 * Moves large weights into one file beside the model: how a model is written that came with external
 * data or is larger than 2 GiB. Serialise the result with `writeModel`.
 *
 * @param location Name of the data file, as `model.onnx.data`.
 */
export function splitWeights(
  model: Model,
  location: string,
  minBytes = MIN_DETACHED_BYTES,
): SplitWeights {
  const data: Uint8Array[] = [];
  let offset = 0;
  const initializer = model.graph.initializer.map((tensor) => {
    const { rawData: bytes } = tensor;
    if (bytes.length < minBytes) return tensor;
    const gap = (ALIGNMENT_BYTES - offset % ALIGNMENT_BYTES) % ALIGNMENT_BYTES;
    if (gap > 0) data.push(new Uint8Array(gap));
    data.push(bytes);
    const moved = outside(tensor, { location, offset: offset + gap, length: bytes.length });
    offset += gap + bytes.length;
    return moved;
  });
  return {
    model: withFields<Model>(model, { graph: withFields(model.graph, { initializer }) }),
    data,
  };
}

function outside(tensor: TensorProto, place: Place): TensorProto {
  const moved = withFields(tensor, {
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries(place).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value: `${value}` })
    ),
  });
  // An empty field would be written as one that is there.
  clearField(moved, TensorProtoSchema.field.rawData);
  return moved;
}
