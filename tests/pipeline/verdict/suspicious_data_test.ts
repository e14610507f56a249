/** Data that can't be right are said: each kind seen, and no note on data as they should be. */
import assert from "node:assert/strict";
import type { Sample } from "../../../core/tensor.ts";
import type { Model } from "../../../onnx/file/model.ts";
import { writeModel } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import type { ModelEvaluation } from "../../../pipeline/evaluate/evaluate.ts";
import { loadFloatModel, quantize } from "../../../pipeline/quantize/quantize.ts";
import { notesOnEvaluation } from "../../../pipeline/verdict/suspicious_data.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { model, node, value } from "../../support/onnx.ts";
import { floats, gaussian } from "../../support/random.ts";

const [channels, size, filters] = [3, 8, 6];

/** A convolution whose BatchNormalization was trained on standard normal data. */
function trained(): Model {
  const random = gaussian(11);
  const weights = floats(filters * channels * 9, random);
  const variance = Float32Array.from(
    { length: filters },
    (_, f) =>
      weights.subarray(f * channels * 9, (f + 1) * channels * 9).reduce((sum, w) => sum + w * w, 0),
  );
  const each = (name: string, values: Float32Array) => makeTensor(name, [filters], values);
  return model({
    nodes: [
      node("Conv", ["x", "w"], ["c"], { kernel_shape: [3, 3] }),
      node("BatchNormalization", ["c", "gain", "shift", "mean", "variance"], ["n"]),
      node("Relu", ["n"], ["y"]),
    ],
    inputs: [value("x", ["n", channels, size, size])],
    outputs: [value("y", ["n", filters, size - 2, size - 2])],
    initializers: [
      makeTensor("w", [filters, channels, 3, 3], weights),
      each("gain", new Float32Array(filters).fill(1)),
      each("shift", new Float32Array(filters)),
      each("mean", new Float32Array(filters)),
      each("variance", variance),
    ],
  });
}

async function notesOn(
  change: (x: number, i: number, sample: number) => number,
): Promise<readonly string[]> {
  const random = gaussian(5);
  const length = channels * size * size;
  const samples: Sample[] = Array.from({ length: 12 }, (_, index) => ({
    index,
    id: `${index}`,
    input: {
      data: floats(length, random).map((x, i) => change(x, i, index)),
      dims: [channels, size, size],
    },
  }));
  const float = await loadFloatModel(writeModel(trained()), "the network");
  const { verdict } = await quantize(float, ReadableStream.from(samples), {
    target: presetTarget("onnxruntime")!,
  });
  return verdict!.notes;
}

Deno.test("data as the network was trained on get no note", async () => {
  assert.deepEqual(await notesOn((x) => x), []);
});

Deno.test("all zeros are said", async () => {
  const [note] = await notesOn(() => 0);
  assert.match(note, /Input x is zero in every calibration sample/);
});

Deno.test("an outlier that takes nearly all codes is said, with what helps", async () => {
  const notes = (await notesOn((x, i, sample) => sample === 3 && i === 17 ? 1e7 : x)).join("\n");
  assert.match(notes, /Nearly all elements of x/);
  assert.match(notes, /option `zThreshold: 6`/);
});

Deno.test("pixels 0 … 255 for a network that was trained on normalized ones are said", async () => {
  const notes = (await notesOn((x) => 127 + 40 * x)).join("\n");
  assert.match(notes, /standard deviations from what its BatchNormalization was trained on/);
});

/** What a float model gets right of labels. */
function evaluationOf(top1: number | null, labels: readonly number[], each = 40): ModelEvaluation {
  const classes = labels.map((label) => ({ label, samples: each }));
  return { name: "float", top1, classes } as unknown as ModelEvaluation;
}

for (
  const [what, evaluation, classes, words] of [
    ["no labels", evaluationOf(null, []), 10, /have no labels/],
    ["labels beyond the classes", evaluationOf(0.1, [0, 12]), 10, /go up to 12.*10 classes/],
    ["two folders for 1,000 classes", evaluationOf(0.01, [0, 1]), 1000, /folders of other classes/],
    [
      "float accuracy at chance",
      evaluationOf(0.1, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
      10,
      /as guessing/,
    ],
  ] as const
) {
  Deno.test(`${what}: a note says so`, () => {
    const notes = notesOnEvaluation([evaluation], classes);
    assert.equal(notes.length, 1);
    assert.match(notes[0], words);
  });
}

Deno.test("good accuracy, and accuracy on too few samples, get no note", () => {
  assert.deepEqual(notesOnEvaluation([evaluationOf(0.9, [0, 1, 2])], 10), []);
  assert.deepEqual(notesOnEvaluation([evaluationOf(0, [0, 1, 2], 2)], 10), []);
});
