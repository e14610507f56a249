/** A small encoder of tokens: embeddings, types of tokens, attention with a mask, a feed-forward layer. */
import type { Model } from "../../onnx/file/model.ts";
import { TensorProto_DataType } from "../../onnx/file/onnx_pb.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import type { InputTensor, Sample } from "../../core/tensor.ts";
import { model, node, value } from "./onnx.ts";
import { gaussian } from "./random.ts";

/** Ids of this and above have embeddings of a hundred times the size: as padding they show. */
export const LOUD_ID = 90;
const VOCABULARY = 100;
const CHANNELS = 16;
const { FLOAT, INT64 } = TensorProto_DataType;

/** The model. `length` fixes the positions; `mask` is the name of its mask; `padding` goes into the embedding of id 0. */
export function tokenModel(
  { length = "sequence", batch = "batch", mask = "attention_mask", padding = 0 }: {
    length?: number | string;
    batch?: number | string;
    mask?: string;
    padding?: number;
  } = {},
): Model {
  const random = gaussian(7);
  const weights = (name: string, dims: number[], scale = 1 / Math.sqrt(CHANNELS)) =>
    makeTensor(
      name,
      dims,
      Float32Array.from({ length: dims[0] * dims[1] }, () => scale * random()),
    );
  const table = weights("table", [VOCABULARY, CHANNELS], 1);
  const values = new Float32Array(table.rawData.buffer, table.rawData.byteOffset);
  for (let i = LOUD_ID * CHANNELS; i < values.length; i++) values[i] *= 100;
  for (let i = 0; i < CHANNELS; i++) values[i] += padding;
  const input = (name: string) => value(name, [batch, length], INT64);
  return model({
    inputs: [input("input_ids"), input(mask), input("token_type_ids")],
    outputs: [value("y", [batch, length, 4])],
    initializers: [
      table,
      weights("types", [2, CHANNELS]),
      weights("q.weight", [CHANNELS, CHANNELS]),
      weights("k.weight", [CHANNELS, CHANNELS]),
      weights("v.weight", [CHANNELS, CHANNELS]),
      weights("ff.weight", [CHANNELS, 32]),
      weights("out.weight", [32, 4]),
      makeTensor("one", [], Float32Array.of(1)),
      makeTensor("low", [], Float32Array.of(-1e4)),
      makeTensor("axis", [1], BigInt64Array.of(1n)),
    ],
    nodes: [
      node("Gather", ["table", "input_ids"], ["words"]),
      node("Gather", ["types", "token_type_ids"], ["kinds"]),
      node("Add", ["words", "kinds"], ["x"]),
      node("MatMul", ["x", "q.weight"], ["q"]),
      node("MatMul", ["x", "k.weight"], ["k"]),
      node("MatMul", ["x", "v.weight"], ["v"]),
      node("Transpose", ["k"], ["kt"], { perm: [0, 2, 1] }),
      node("MatMul", ["q", "kt"], ["scores"]),
      node("Cast", [mask], ["mask.float"], { to: FLOAT }),
      node("Sub", ["one", "mask.float"], ["mask.off"]),
      node("Mul", ["mask.off", "low"], ["mask.low"]),
      node("Unsqueeze", ["mask.low", "axis"], ["mask.row"]),
      node("Add", ["scores", "mask.row"], ["masked"]),
      node("Softmax", ["masked"], ["attention"], { axis: -1 }),
      node("MatMul", ["attention", "v"], ["mixed"]),
      node("MatMul", ["mixed", "ff.weight"], ["ff"]),
      node("Relu", ["ff"], ["ff.relu"]),
      node("MatMul", ["ff.relu", "out.weight"], ["y"]),
    ],
  });
}

/** Ids of a few samples of different lengths. */
export const SENTENCES = [[5, 6, 7, 8], [9, 10, 11], [12, 13, 14, 15, 16, 17, 18], [19, 20], [21]];

/** Samples of these ids with padding in front and behind, of this id, and their mask. */
export function tokenSamples(
  sentences: readonly (readonly number[])[],
  { before = 0, length, pad = 0, mask = "attention_mask" }: {
    before?: number;
    length?: number;
    pad?: number;
    mask?: string;
  } = {},
): Sample[] {
  return sentences.map((ids, index) => {
    const whole = Math.max(length ?? 0, before + ids.length);
    const row = (values: (i: number) => number, filler: number): InputTensor => ({
      data: BigInt64Array.from(
        { length: whole },
        (_, i) => BigInt(i >= before && i < before + ids.length ? values(i - before) : filler),
      ),
      dims: [whole],
    });
    return {
      index,
      id: `sentence ${index}`,
      input: {
        input_ids: row((i) => ids[i], pad),
        [mask]: row(() => 1, 0),
        token_type_ids: row((i) => i % 2, 0),
      },
    };
  });
}
