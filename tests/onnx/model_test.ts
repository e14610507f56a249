import assert from "node:assert/strict";
import { readModel, writeModel } from "../../onnx/file/model.ts";
import { prepareModel } from "../../onnx/prepare/prepare.ts";
import { PlimsollError } from "../../core/errors.ts";

const DEMO = Deno.readFileSync("data/fashion/model.onnx");

Deno.test("readModel() and writeModel() keep an untouched file byte for byte", () => {
  assert.deepEqual(writeModel(readModel(DEMO, "demo")), DEMO);
});

Deno.test("prepareModel() keeps unknown fields and metadata", async () => {
  // Field 1023, length-delimited, and metadata_props (14) with key "a", value "b".
  const unknown = [0xfa, 0x3f, 3, 1, 2, 3];
  const metadata = [14 << 3 | 2, 6, 0x0a, 1, 97, 0x12, 1, 98];
  const model = readModel(new Uint8Array([...DEMO, ...unknown, ...metadata]), "demo");
  const written = writeModel(await prepareModel(model));
  const again = readModel(written, "prepared");
  assert.deepEqual(again.$unknown?.map(({ no, data }) => [no, ...data]), [[1023, 3, 1, 2, 3]]);
  assert.deepEqual(again.metadataProps.map(({ key, value }) => [key, value]), [["a", "b"]]);
  assert.equal(again.producerName, "pytorch");
});

const BROKEN: [string, Uint8Array, RegExp][] = [
  ["an empty file", new Uint8Array(0), /found an empty file/],
  ["text", new TextEncoder().encode("hello world, this is no model"), /no protobuf message/],
  ["a JPEG", Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70, 73, 70), /found/],
  ["a protobuf message without graph", Uint8Array.of(8, 8), /without a graph/],
];
for (const [name, bytes, message] of BROKEN) {
  Deno.test(`readModel() refuses ${name}`, () => {
    assert.throws(() => readModel(bytes, "x.onnx"), (error) => {
      assert.ok(error instanceof PlimsollError);
      assert.match(error.message, /reading model "x.onnx"/);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("readModel() refuses a file cut off anywhere", () => {
  for (let part = 0; part < 1; part += 0.0371) {
    const cut = DEMO.subarray(0, Math.floor(DEMO.length * part));
    assert.throws(() => readModel(cut, "cut.onnx"), PlimsollError, `cut at ${part}`);
  }
});
