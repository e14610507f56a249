/** Layers fitted to the ones before them: what it gains, that nothing else changes it, that it is kept only where better. */
import assert from "node:assert/strict";
import type { Sample } from "../../../core/tensor.ts";
import { writeModel } from "../../../onnx/file/model.ts";
import { readModel } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { createSession } from "../../../pipeline/inference/default_runtime.ts";
import {
  loadFloatModel,
  quantize,
  type QuantizeEvent,
  type RunOptions,
} from "../../../pipeline/quantize/quantize.ts";
import { readCodes } from "../../../pipeline/rounding/codes_file.ts";
import { emitModel } from "../../../tpc/emission/emit.ts";
import type { Wishes } from "../../../tpc/recipe/wishes.ts";
import { model, node, value } from "../../support/onnx.ts";
import { gaussian } from "../../support/random.ts";

const normal = gaussian(11);
const floats = (length: number, scale = 1) => Float32Array.from({ length }, () => scale * normal());

/** A residual block with a depthwise convolution, ReLU6, and a shape that is computed on the way. */
const small = model({
  nodes: [
    node("Conv", ["x", "a", "a0"], ["p"], { pads: [1, 1, 1, 1] }),
    node("Relu", ["p"], ["q"]),
    node("Conv", ["q", "d", "d0"], ["r"], { pads: [1, 1, 1, 1], group: 12 }),
    node("Clip", ["r", "zero", "six"], ["s"]),
    node("Conv", ["s", "b", "b0"], ["t"]),
    node("Add", ["t", "q"], ["u"]),
    node("Shape", ["x"], ["shape"]),
    node("Gather", ["shape", "first"], ["batch"]),
    node("Concat", ["batch", "minus"], ["wanted"], { axis: 0 }),
    node("Reshape", ["u", "wanted"], ["v"]),
    node("Gemm", ["v", "c", "c0"], ["y"], { transB: 1 }),
  ],
  inputs: [value("x", ["n", 4, 6, 6])],
  outputs: [value("y", ["n", 5])],
  initializers: [
    makeTensor("a", [12, 4, 3, 3], floats(12 * 36, 0.3)),
    makeTensor("a0", [12], floats(12)),
    makeTensor("d", [12, 1, 3, 3], floats(108)),
    makeTensor("d0", [12], floats(12)),
    makeTensor("b", [12, 12, 1, 1], floats(144, 0.4)),
    makeTensor("b0", [12], floats(12)),
    makeTensor("c", [5, 432], floats(2160, 0.1)),
    makeTensor("c0", [5], floats(5)),
    makeTensor("zero", [], Float32Array.of(0)),
    makeTensor("six", [], Float32Array.of(6)),
    makeTensor("first", [1], BigInt64Array.of(0n)),
    makeTensor("minus", [1], BigInt64Array.of(-1n)),
  ],
});
const float = await loadFloatModel(writeModel(small), "small");

function draw(count: number, from = 0): Sample[] {
  return Array.from({ length: count }, (_, i) => {
    const level = normal();
    const data = Float32Array.from({ length: 144 }, () => level + normal());
    return { index: from + i, id: `${from + i}`, input: { data, dims: [4, 6, 6] } };
  });
}
const samples = draw(64);
const others = draw(64);

async function outputs(file: Uint8Array): Promise<Float32Array> {
  await using session = await createSession(readModel(file, "m"), { name: "m" });
  const data = new Float32Array(64 * 144);
  others.forEach(({ input }, i) => data.set((input as { data: Float32Array }).data, 144 * i));
  return (await session.run(new Map([["x", { data, dims: [64, 4, 6, 6] }]]), ["y"])).get("y")!.data;
}
const reference = await outputs(writeModel(float.original));

async function quality(wishes: Wishes, options: RunOptions = {}, given = samples) {
  const notes: string[] = [];
  const onEvent = (event: QuantizeEvent) => {
    if (event.kind === "note") notes.push(event.text);
  };
  const result = await quantize(
    float,
    given,
    { target: "onnxruntime", weightBits: 4, leastSqnr: 0, mostFlips: 100, ...wishes },
    { onEvent, ...options },
  );
  const found = await outputs(result.model);
  let [signal, noise] = [0, 0];
  reference.forEach((y, i) => {
    signal += y * y;
    noise += (found[i] - y) ** 2;
  });
  return { result, notes, sqnr: 10 * Math.log10(signal / noise) };
}

Deno.test("codes, steps and biases fitted layer by layer beat those of each layer by itself on other samples", async () => {
  const [nearest, gptq, fitted] = [
    await quality({}),
    await quality({ weightRounding: "gptq" }),
    await quality({ sequential: "weights" }),
  ];
  const text = `nearest ${nearest.sqnr}, gptq ${gptq.sqnr}, fitted ${fitted.sqnr}`;
  assert.ok(fitted.sqnr > nearest.sqnr + 1.5 && fitted.sqnr > gptq.sqnr + 0.3, text);
  const { manifest, codes: file } = fitted.result;
  assert.deepEqual(manifest.weights.map(({ rounding }) => rounding), Array(4).fill("sequential"));
  assert.match(fitted.notes.join(), /dB before, .* with codes, steps and biases fitted/);
  const { prepared } = float;
  const codes = await readCodes(file!, { manifest, model: prepared, name: "codes.bin" });
  assert.deepEqual(writeModel(emitModel(prepared, manifest, codes)), fitted.result.model);
});

Deno.test("neither batches nor the order of samples change what is fitted", async () => {
  for (const sequential of ["bias", "weights"] as const) {
    const one = await quality({ sequential });
    const two = await quality({ sequential }, { batch: 5 }, samples.toReversed());
    assert.deepEqual(two.result.model, one.result.model);
  }
});

Deno.test("biases fitted layer by layer leave codes as they are, gptq's as well", async () => {
  const [gptq, fitted] = [
    await quality({ weightRounding: "gptq" }),
    await quality({ weightRounding: "gptq", sequential: "bias" }),
  ];
  assert.deepEqual(fitted.result.codes, gptq.result.codes);
  assert.ok(fitted.sqnr > gptq.sqnr - 0.2, `${gptq.sqnr}, fitted ${fitted.sqnr}`);
  const isKept = /layers stay as they were/.test(fitted.notes.join());
  assert.equal(isKept, canBeSame(fitted.result.model, gptq.result.model));
});

function canBeSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

Deno.test("with too few samples to judge by, layers stay as they were and a note says so", async () => {
  const [plain, one] = [
    await quality({}, {}, samples.slice(0, 1)),
    await quality({ sequential: "weights" }, {}, samples.slice(0, 1)),
  ];
  assert.deepEqual(one.result.model, plain.result.model);
  assert.match(one.notes.join(), /too few samples/);
});
