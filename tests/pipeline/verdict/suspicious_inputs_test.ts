/** Data that can't be right are said: on networks of one convolution whose inputs are made for it. */
import assert from "node:assert/strict";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { type Model, writeModel } from "../../../onnx/file/model.ts";
import type { ModelEvaluation } from "../../../pipeline/evaluate/evaluate.ts";
import { loadFloatModel, quantize } from "../../../pipeline/quantize/quantize.ts";
import { notesOnEvaluation } from "../../../pipeline/verdict/suspicious_data.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { model, node, value } from "../../support/onnx.ts";
import { floats, gaussian } from "../../support/random.ts";

const random = gaussian(47);
const DIMS = [3, 8, 8];
const LENGTH = 192;

/** A convolution of normal weights; with BatchNormalization it was trained on inputs of about 0 to 1. */
function network(options: { readonly before?: string; readonly isNormalized?: boolean }): Model {
  const { before, isNormalized = false } = options;
  return model({
    nodes: [
      ...before === undefined ? [] : [node(before, ["x", "one"], ["first"])],
      node("Conv", [before === undefined ? "x" : "first", "w"], ["c"]),
      ...isNormalized ? [node("BatchNormalization", ["c", "one4", "m", "m", "one4"], ["n"])] : [],
      node("Relu", [isNormalized ? "n" : "c"], ["y"]),
    ],
    inputs: [value("x", ["b", ...DIMS])],
    outputs: [value("y", ["b", 4, 6, 6])],
    initializers: [
      makeTensor("w", [4, 3, 3, 3], floats(108, random).map((x) => Math.abs(x) / 9)),
      makeTensor("one", [1], Float32Array.of(1)),
      makeTensor("one4", [4], new Float32Array(4).fill(1)),
      makeTensor("m", [4], new Float32Array(4)),
    ],
  });
}

async function notesOn(graph: Model, make: (i: number) => number) {
  const samples = Array.from({ length: 6 }, (_, index) => ({
    index,
    id: `${index}`,
    input: { data: Float32Array.from({ length: LENGTH }, (_, i) => make(i)), dims: DIMS },
  }));
  const float = await loadFloatModel(writeModel(graph), "the network");
  const target = presetTarget("onnxruntime")!;
  const { verdict } = await quantize(float, ReadableStream.from(samples), { target });
  return verdict!.notes.join("\n");
}

const pixel = (i: number) => i % 256 === 0 ? 0 : i % 7 === 0 ? 255 : (37 * i) % 256;

Deno.test("pixels that nobody scaled are asked about", async () => {
  assert.match(await notesOn(network({}), pixel), /Input x holds values of 0 to 255/);
  assert.equal(await notesOn(network({}), (i) => pixel(i) / 255), "");
  // A network that scales them itself takes them as they are.
  assert.equal(await notesOn(network({ before: "Mul" }), pixel), "");
});

for (const before of [undefined, "Mul", "Sub"]) {
  Deno.test(`an input far from what BatchNormalization expects is said, behind ${before}`, async () => {
    const graph = network({ isNormalized: true, ...before === undefined ? {} : { before } });
    assert.match(await notesOn(graph, pixel), /gives values \d+ standard deviations from/);
    const shift = before === "Sub" ? 1 : 0;
    assert.equal(await notesOn(graph, () => random() + shift), "");
  });
}

Deno.test("an input of one value everywhere is said", async () => {
  assert.match(await notesOn(network({}), () => 0.5), /Input x is 0\.5 everywhere/);
  assert.match(await notesOn(network({}), () => 0), /Input x is zero in every/);
});

Deno.test("labels of other classes are said, of a few samples, too", () => {
  const evaluation = (top1: number, labels: number[], samples: number) =>
    [{
      top1,
      classes: labels.map((label) => ({ label, samples })),
    }] as unknown as ModelEvaluation[];
  const wrong = notesOnEvaluation(evaluation(0, [0, 1], 10), 1000).join();
  assert.match(wrong, /none of 20 samples right: 2 different labels against 1000 classes/);
  assert.match(notesOnEvaluation(evaluation(0, [0], 12), 1000).join(), /none of 12 samples/);
  assert.match(notesOnEvaluation(evaluation(0, [0, 1, 2], 4), 3).join(), /check the preprocessing/);
  assert.deepEqual(notesOnEvaluation(evaluation(0.6, [0, 1], 10), 1000), []);
  assert.deepEqual(notesOnEvaluation(evaluation(0, [0, 1], 2), 1000), []);
});
