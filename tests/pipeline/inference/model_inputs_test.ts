/** Inputs of all kinds: which axis counts samples, and in which shape a sample is fed. */
import assert from "node:assert/strict";
import { batchSizeFor, feedsFor, modelInputs } from "../../../pipeline/inference/infer.ts";
import type { Batch, Sample } from "../../../core/tensor.ts";
import { model, value } from "../../support/onnx.ts";

const graphOf = (...inputs: ReturnType<typeof value>[]) =>
  modelInputs(model({ nodes: [], inputs, outputs: [] }).graph);

/** A batch of one sample in this shape. */
function batchOf(name: string, dims: readonly number[]): Batch {
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
  const samples = [{ index: 0, id: "s", input: { data, dims } }] as unknown as Sample[];
  return { inputs: new Map([[name, { data, dims: [1, ...dims] }]]), samples } as unknown as Batch;
}

function fedAs(input: ReturnType<typeof value>, dims: readonly number[]): readonly number[] {
  const [{ name }] = graphOf(input);
  return feedsFor(batchOf(name, dims), graphOf(input)).get(name)!.dims;
}

Deno.test("axis 0 counts samples, but where another one has the name of samples", () => {
  const axes = graphOf(
    value("x", ["batch", 512]),
    value("state", [2, "batch", 128]),
    value("sr", []),
    value("frames", [80, "time"]),
  ).map(({ batchAxis }) => batchAxis);
  assert.deepEqual(axes, [0, 1, null, null]);
});

Deno.test("any name counts as that of samples when another input has it in front", () => {
  const axes = graphOf(value("x", ["q7", 3]), value("h", [1, "q7", 3]), value("c", [2, "q7", 3]))
    .map(({ batchAxis }) => batchAxis);
  assert.deepEqual(axes, [0, 0, 1]);
});

for (
  const [what, input, dims, fed] of [
    ["a state of a sample, without the axis", value("h", [2, "batch", 128]), [2, 128], [2, 1, 128]],
    ["a state with it", value("h", [2, "batch", 128]), [2, 1, 128], [2, 1, 128]],
    ["a scalar saved as such", value("sr", []), [], []],
    ["a scalar saved as [1]", value("sr", []), [1], []],
    ["a sequence without batch", value("frames", [80, "time"]), [80, 31], [80, 31]],
    ["an image", value("x", ["n", 3, 8, 8]), [3, 8, 8], [1, 3, 8, 8]],
    ["pixels last", value("x", ["n", 8, 8, 3]), [8, 8, 3], [1, 8, 8, 3]],
    ["nothing so far, as caches begin", value("past_key", ["n", 4, "past", 8]), [4, 0, 8], [
      1,
      4,
      0,
      8,
    ]],
  ] as const
) {
  Deno.test(`${what} is fed as [${fed.join(", ")}]`, () =>
    assert.deepEqual(fedAs(input, dims), fed));
}

Deno.test("a state whose axes are swapped is refused, not stacked", () => {
  assert.throws(() => fedAs(value("h", [2, "batch", 128]), [128, 2]), /shape \[2, any, 128\]/);
});

Deno.test("inputs that don't all count samples along axis 0 are run one by one", () => {
  assert.equal(batchSizeFor(graphOf(value("x", ["n", 4]), value("h", [2, "n", 4]))), 1);
});

Deno.test("samples in a batch go by their own size, not by that of dynamic axes", () => {
  const inputs = graphOf(value("x", ["n", 3, "h", "w"]));
  const size = batchSizeFor(inputs);
  assert.ok(typeof size === "function");
  const sampleOf = (...dims: number[]) => batchOf("x", dims).samples[0];
  assert.equal(size(sampleOf(3, 480, 480)), 1);
  assert.equal(size(sampleOf(3, 16, 16)), 8);
});

Deno.test("inputs of whole numbers are known as such", () => {
  const [input] = graphOf(value("x", ["n", 8, 8, 3], 2));
  assert.equal(input.isInteger, true);
});
