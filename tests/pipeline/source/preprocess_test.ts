import assert from "node:assert/strict";
import type { Tensor } from "../../../pipeline/core/tensor.ts";
import { parsePreprocessing, preprocessor } from "../../../pipeline/source/preprocess.ts";

const image = {
  height: 1,
  width: 2,
  channels: 3,
  pixels: Uint8Array.of(0, 51, 102, 153, 204, 255),
};
const run = (options: unknown) =>
  preprocessor(parsePreprocessing(options, "test"))({ index: 0, id: "s", image }).input as Tensor;

Deno.test("preprocessor() computes (pixel · scale − mean) / std, rounded once", () => {
  const { data, dims } = run({ mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 0.125] });
  assert.deepEqual(dims, [3, 1, 2]);
  const value = (pixel: number, mean: number, std: number) =>
    Math.fround((pixel * (1 / 255) - mean) / std);
  assert.deepEqual([...data], [
    ...[value(0, 0.1, 0.5), value(153, 0.1, 0.5)],
    ...[value(51, 0.2, 0.25), value(204, 0.2, 0.25)],
    ...[value(102, 0.3, 0.125), value(255, 0.3, 0.125)],
  ]);
});

Deno.test("preprocessor() keeps channels last with layout NHWC", () => {
  const { data, dims } = run({ scale: 1, layout: "NHWC" });
  assert.deepEqual(dims, [1, 2, 3]);
  assert.deepEqual([...data], [...image.pixels]);
});

Deno.test("preprocessor() takes one number for all channels and refuses another count", () => {
  assert.deepEqual([...run({ scale: 1, mean: [1], std: 1 }).data], [-1, 152, 50, 203, 101, 254]);
  assert.throws(() => run({ mean: [0, 0] }), /preprocessing "s": wanted 2 channels.*found 3/);
});

Deno.test("parsePreprocessing() refuses what makes no sense", () => {
  assert.throws(() => parsePreprocessing({ std: 0 }, "p.json"), /"p.json".*std 0/);
  assert.throws(() => parsePreprocessing({ std: [1, 0, 1] }, "p.json"), /std 0/);
  assert.throws(() => parsePreprocessing({ meen: 1 }, "p.json"), /meen/);
});
