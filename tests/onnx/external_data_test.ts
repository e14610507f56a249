import assert from "node:assert/strict";
import { clearField, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from "../../onnx/file/onnx_pb.ts";
import { runConstants } from "../../pipeline/inference/default_runtime.ts";
import { PlimsollError } from "../../core/errors.ts";
import {
  detachWeights,
  readModelWithData,
  type SideFileReader,
  splitWeights,
} from "../../onnx/file/external_data.ts";
import { type Model, readModel, withFields, writeModel } from "../../onnx/file/model.ts";
import { prepareModel } from "../../onnx/prepare/prepare.ts";
import { makeTensor, tensorData } from "../../onnx/file/tensor.ts";
import { model, node, value } from "../support/onnx.ts";
import { operators, randomFeeds, weights } from "../support/rewrite.ts";
import { assertSameOutputs, runModel } from "../support/run_model.ts";

const small = () =>
  model({
    nodes: [
      node("Conv", ["x", "w"], ["a"]),
      node("Mul", ["a", "s"], ["b"]),
      node("Constant", [], ["c"], { value: weights("", 3, 3) }),
      node("Add", ["b", "c"], ["z"]),
    ],
    inputs: [value("x", [1, 4, 5, 5])],
    outputs: [value("z", [1, 40, 3, 3])],
    initializers: [weights("w", 40, 4, 3, 3), weights("s", 40, 1, 1)],
  });

/** A side file in memory, which notes what was read. */
function sideFile(chunks: readonly Uint8Array[], location: string) {
  const file = new Uint8Array(chunks.flatMap((chunk) => [...chunk]));
  const asked: [number, number][] = [];
  const read: SideFileReader = (name, offset, length) => {
    assert.equal(name, location);
    asked.push([offset, length]);
    return Promise.resolve(file.slice(offset, offset + length));
  };
  return { file, asked, read };
}

Deno.test("splitWeights() and readModelWithData() are inverse", async () => {
  const before = small();
  const { model: light, data } = splitWeights(before, "m.onnx.data", 100);
  const { file, asked, read } = sideFile(data, "m.onnx.data");
  const written = writeModel(light);
  assert.ok(written.length < 1000, `${written.length} bytes with the weights outside`);
  const { model: after, external } = await readModelWithData(written, "m.onnx", read);
  assert.deepEqual(asked, [[0, 40 * 4 * 9 * 4], [8192, 160]]);
  assert.equal(file.length, 8192 + 160);
  assert.deepEqual(external.map(({ length }) => length), [5760, 160]);
  assert.deepEqual(writeModel(after), writeModel(before));
});

Deno.test("readModelWithData() reads a model without external data as readModel() does", async () => {
  const bytes = writeModel(small());
  const { model: read, external } = await readModelWithData(bytes, "m", () => Promise.reject("no"));
  assert.deepEqual(writeModel(read), bytes);
  assert.deepEqual(external, []);
});

Deno.test("readModelWithData() gives a model that prepares and runs as the one in one file", async () => {
  const before = small();
  const { model: light, data } = splitWeights(before, "w", 1);
  const { read } = sideFile(data, "w");
  const { model: after } = await readModelWithData(writeModel(light), "m", read);
  const prepared = await prepareModel(after, runConstants);
  assert.deepEqual(operators(prepared), ["Conv", "Add"]);
  await assertSameOutputs(before, prepared, randomFeeds(before));
});

/** A tensor of 4 float32 whose data are outside. */
function external(entries: Record<string, string>, name = "w", dims = [4]): TensorProto {
  const tensor = makeTensor(name, dims, new Float32Array(dims.reduce((a, b) => a * b, 1)));
  return withFields(tensor, {
    rawData: new Uint8Array(0),
    dataLocation: 1,
    externalData: Object.entries(entries).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value })
    ),
  });
}
const sum = (tensor: TensorProto) =>
  model({
    nodes: [node("Add", ["x", "w"], ["z"])],
    inputs: [value("x", [4])],
    outputs: [value("z", [4])],
    initializers: [tensor],
  });

Deno.test("readModelWithData() needs neither offset nor length", async () => {
  const data = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
  const { read, asked } = sideFile([data], "dir/w.bin");
  const bytes = writeModel(sum(external({ location: "dir/w.bin" })));
  const { model: read_ } = await readModelWithData(bytes, "m", read);
  assert.deepEqual(asked, [[0, 16]]);
  assert.deepEqual([...tensorData(read_.graph.initializer[0])], [1, 2, 3, 4]);
});

Deno.test("readModelWithData() finds tensors in attributes and sub-graphs", async () => {
  const constant = node("Constant", [], ["c"], { value: external({ location: "f" }, "") });
  const body = create(GraphProtoSchema, {
    name: "body",
    node: [node("Add", ["x", "inner"], ["y"])],
    initializer: [external({ location: "f", offset: "16" }, "inner")],
    output: [value("y", [4])],
  });
  const branch = node("If", ["yes"], ["z"]);
  const type = AttributeProto_AttributeType.GRAPH;
  branch.attribute.push(create(AttributeProtoSchema, { name: "then_branch", type, g: body }));
  const before = model({
    nodes: [constant, branch],
    inputs: [value("x", [4]), value("yes", [], 9)],
    outputs: [value("z", [4])],
  });
  const { read, asked } = sideFile([new Uint8Array(32)], "f");
  await readModelWithData(writeModel(before), "m", read);
  assert.deepEqual(asked.sort(), [[0, 16], [16, 16]]);
});

const REFUSED: [string, Record<string, string>, RegExp][] = [
  ["a path to the folder above", { location: "../w" }, /found "\.\.\/w"/],
  ["a path up again from a folder", { location: "a/../../w" }, /in the folder of the model/],
  ["a path up as Windows writes it", { location: "a\\..\\..\\w" }, /in the folder of the model/],
  ["an absolute path", { location: "/etc/passwd" }, /found "\/etc\/passwd"/],
  ["a drive", { location: "C:\\w" }, /in the folder of the model/],
  ["a network share", { location: "\\\\host\\w" }, /in the folder of the model/],
  ["no location", {}, /found ""/],
  ["another length than the tensor's", { location: "w", length: "12" }, /16 bytes.*found 12/],
  ["a negative offset", { location: "w", offset: "-4" }, /as offset, found "-4"/],
  ["a length that is no number", { location: "w", length: "x" }, /as length, found "x"/],
];
for (const [name, entries, message] of REFUSED) {
  Deno.test(`readModelWithData() refuses ${name} before it reads`, async () => {
    const bytes = writeModel(sum(external(entries)));
    const read = () => Promise.reject(new Error("it was read"));
    await assert.rejects(readModelWithData(bytes, "m.onnx", read), (error) => {
      assert.ok(error instanceof PlimsollError);
      assert.equal(error.kind, "model");
      assert.match(error.message, /tensor "w" of "m.onnx"/);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("readModel() refuses external data", () => {
  const bytes = writeModel(sum(external({ location: "w" })));
  assert.throws(() => readModel(bytes, "m"), /tensor "w" in an external data file/);
});

Deno.test("detachWeights() shares the data and leaves the model as it was", () => {
  const before = small();
  const bytes = toBinary(ModelProtoSchema, before);
  const { model: light, data } = detachWeights(before, 1000);
  assert.deepEqual([...data.values()], [before.graph.initializer[0].rawData]);
  assert.equal(data.get("weights/0"), before.graph.initializer[0].rawData);
  assert.deepEqual(toBinary(ModelProtoSchema, before), bytes);
  assert.equal(light.graph.initializer[0].rawData.length, 0);
  assert.equal(light.graph.initializer[1], before.graph.initializer[1]);
});

Deno.test("weights beside the model give the same bits as weights inside", async () => {
  const beside = model({
    nodes: [
      node("Conv", ["x", "w"], ["a"], { pads: [1, 1, 1, 1] }),
      node("Mul", ["a", "s"], ["b"]),
      node("Relu", ["b"], ["z"]),
    ],
    inputs: [value("x", [2, 64, 9, 9])],
    outputs: [value("z", [2, 64, 9, 9])],
    initializers: [weights("w", 64, 64, 3, 3), weights("s", 64, 1, 1)],
  });
  assert.equal(detachWeights(beside).data.size, 1);
  // Weights in the typed field are never detached.
  const inside = fromBinary(ModelProtoSchema, writeModel(beside)) as Model;
  for (const tensor of inside.graph.initializer) {
    tensor.floatData = [...tensorData(tensor)] as number[];
    clearField(tensor, TensorProtoSchema.field.rawData);
  }
  assert.equal(detachWeights(inside).data.size, 0);
  const feeds = randomFeeds(beside);
  const [a, b] = [await runModel(beside, feeds), await runModel(inside, feeds)];
  assert.deepEqual(a.get("z")!.data, b.get("z")!.data);
});

Deno.test("writeModel() refuses more than 2 GiB, which splitWeights() can write", () => {
  // One array behind all three tensors: nothing touches it, so it takes no memory.
  const bytes = new Uint8Array(2 ** 30);
  const huge = model({
    nodes: [node("Sum", ["a", "b", "c"], ["z"])],
    inputs: [],
    outputs: [value("z", [2 ** 28])],
    initializers: ["a", "b", "c"].map((name) =>
      withFields(makeTensor(name, [0], new Float32Array(0)), {
        rawData: bytes,
        dims: [BigInt(2 ** 28)],
      })
    ),
  });
  assert.throws(() => writeModel(huge), /at most 2147483647 bytes of weights, found 3221225472/);
  const { model: light, data } = splitWeights(huge, "huge.data");
  assert.ok(writeModel(light).length < 1000);
  assert.equal(data.reduce((total, { length }) => total + length, 0), 3 * 2 ** 30);
  assert.ok(data.every((chunk) => chunk === bytes));
});
