import assert from "node:assert/strict";
import { runConstants } from "../../pipeline/inference/default_runtime.ts";
import { readModel } from "../../onnx/file/model.ts";
import { prepareModel } from "../../onnx/prepare/prepare.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { model, node, value } from "../support/onnx.ts";
import { floats, gaussian, uniform } from "../support/random.ts";
import { assertSameOutputs } from "../support/run_model.ts";

const normal = gaussian(7);
const positive = uniform(8);
const weights = (name: string, ...dims: number[]) =>
  makeTensor(name, dims, floats(dims.reduce((a, b) => a * b), normal));
const batchNorm = (channels: number) => [
  weights("gamma", channels),
  weights("beta", channels),
  weights("mean", channels),
  makeTensor("variance", [channels], floats(channels, () => 0.1 + positive())),
];
const BN_INPUTS = ["gamma", "beta", "mean", "variance"];
const operators = (m: { graph: { node: { opType: string }[] } }) =>
  m.graph.node.map(({ opType }) => opType);

for (const group of [1, 4]) {
  for (const bias of [false, true]) {
    Deno.test(`foldAffineAfter() folds into Conv, group ${group}, ${bias ? "with" : "without"} bias`, async () => {
      const before = model({
        nodes: [
          node("Conv", ["x", "w", ...(bias ? ["b"] : [])], ["y"], { group, pads: [1, 1, 1, 1] }),
          node("BatchNormalization", ["y", ...BN_INPUTS], ["z"], { epsilon: 1e-3 }),
        ],
        inputs: [value("x", [1, 4, 5, 5])],
        outputs: [value("z", [1, 8, 5, 5])],
        initializers: [weights("w", 8, 4 / group, 3, 3), weights("b", 8), ...batchNorm(8)],
      });
      const after = await prepareModel(before);
      assert.deepEqual(operators(after), ["Conv"]);
      assert.deepEqual(
        operators(before),
        ["Conv", "BatchNormalization"],
        "the input stays as it was",
      );
      const x = { data: floats(100, normal), dims: [1, 4, 5, 5] };
      await assertSameOutputs(before, after, { x });
    });
  }
}

for (const transB of [0, 1]) {
  for (const [bias, beta] of [["none", 1], ["row", 0.5], ["scalar", 2]] as const) {
    Deno.test(`foldAffineAfter() folds into Gemm, transB ${transB}, bias ${bias}`, async () => {
      const before = model({
        nodes: [
          node("Gemm", ["x", "w", ...(bias === "none" ? [] : ["b"])], ["y"], {
            transB,
            alpha: 0.7,
            beta,
          }),
          node("BatchNormalization", ["y", ...BN_INPUTS], ["z"]),
        ],
        inputs: [value("x", [3, 6])],
        outputs: [value("z", [3, 5])],
        initializers: [
          transB ? weights("w", 5, 6) : weights("w", 6, 5),
          bias === "scalar" ? weights("b", 1) : weights("b", 5),
          ...batchNorm(5),
        ],
      });
      const after = await prepareModel(before);
      assert.deepEqual(operators(after), ["Gemm"]);
      await assertSameOutputs(before, after, { x: { data: floats(18, normal), dims: [3, 6] } });
    });
  }
}

Deno.test("foldAffineAfter() copies weights that another node shares", async () => {
  const before = model({
    nodes: [
      node("Conv", ["x", "w"], ["y"]),
      node("BatchNormalization", ["y", ...BN_INPUTS], ["z"]),
      node("Conv", ["x", "w"], ["v"]),
    ],
    inputs: [value("x", [1, 2, 3, 3])],
    outputs: [value("z", [1, 4, 3, 3]), value("v", [1, 4, 3, 3])],
    initializers: [weights("w", 4, 2, 1, 1), ...batchNorm(4)],
  });
  const after = await prepareModel(before);
  assert.deepEqual(operators(after), ["Conv", "Conv"]);
  await assertSameOutputs(before, after, { x: { data: floats(18, normal), dims: [1, 2, 3, 3] } });
});

Deno.test("foldAffineAfter() leaves a Conv whose output is read elsewhere, too", async () => {
  const before = model({
    nodes: [
      node("Conv", ["x", "w"], ["y"]),
      node("BatchNormalization", ["y", ...BN_INPUTS], ["z"]),
    ],
    inputs: [value("x", [1, 2, 3, 3])],
    outputs: [value("z", [1, 4, 3, 3]), value("y", [1, 4, 3, 3])],
    initializers: [weights("w", 4, 2, 1, 1), ...batchNorm(4)],
  });
  assert.deepEqual(operators(await prepareModel(before)), ["Conv", "BatchNormalization"]);
});

Deno.test("removeNoOps() takes out Identity and Dropout and keeps input and output names", async () => {
  const before = model({
    nodes: [
      node("Identity", ["x"], ["a"]),
      node("Relu", ["a"], ["b"]),
      node("Dropout", ["b"], ["c", "mask"]),
      node("Identity", ["c"], ["d"]),
      node("Neg", ["d"], ["e"]),
      node("Identity", ["e"], ["z"]),
    ],
    inputs: [value("x", [6])],
    outputs: [value("z", [6])],
  });
  const after = await prepareModel(before);
  assert.deepEqual(operators(after), ["Relu", "Neg"]);
  await assertSameOutputs(before, after, { x: { data: floats(6, normal), dims: [6] } });
});

Deno.test("removeNoOps() keeps a Dropout in training mode or with a mask that is read", async () => {
  const yes = makeTensor("yes", [], Uint8Array.of(1), 9);
  const training = model({
    nodes: [node("Dropout", ["x", "", "yes"], ["y"]), node("Neg", ["y"], ["z"])],
    inputs: [value("x", [6])],
    outputs: [value("z", [6])],
    initializers: [yes],
  });
  assert.deepEqual(operators(await prepareModel(training)), ["Dropout", "Neg"]);
  const masked = model({
    nodes: [node("Dropout", ["x"], ["z", "mask"])],
    inputs: [value("x", [6])],
    outputs: [value("z", [6]), value("mask", [6], 9)],
  });
  assert.deepEqual(operators(await prepareModel(masked)), ["Dropout"]);
});

Deno.test("foldConstants computes Constant nodes and constant sub-graphs", async () => {
  const before = model({
    nodes: [
      node("Constant", [], ["shape"], { value: makeTensor("", [2], BigInt64Array.of(2n, 3n)) }),
      node("Constant", [], ["two"], { value: makeTensor("", [], Float32Array.of(2)) }),
      node("Mul", ["two", "two"], ["four"]),
      node("Add", ["four", "two"], ["six"]),
      node("Reshape", ["x", "shape"], ["r"]),
      node("Mul", ["r", "six"], ["z"]),
    ],
    inputs: [value("x", [6])],
    outputs: [value("z", [2, 3])],
  });
  const after = await prepareModel(before, runConstants);
  assert.deepEqual(operators(after), ["Reshape", "Mul"]);
  assert.deepEqual(after.graph.initializer.map(({ name }) => name).sort(), ["shape", "six"]);
  await assertSameOutputs(before, after, { x: { data: floats(6, normal), dims: [6] } });
});

Deno.test("foldConstants leaves random operators alone", async () => {
  const before = model({
    nodes: [
      node("Constant", [], ["c"], { value: makeTensor("", [6], floats(6, normal)) }),
      node("RandomNormalLike", ["c"], ["noise"]),
      node("Add", ["x", "noise"], ["z"]),
    ],
    inputs: [value("x", [6])],
    outputs: [value("z", [6])],
  });
  assert.deepEqual(operators(await prepareModel(before, runConstants)), [
    "RandomNormalLike",
    "Add",
  ]);
});

Deno.test("foldConstants leaves strings and sequences, and keeps the type of float16", async () => {
  const half = makeTensor("half", [2], Uint16Array.of(0x3c00, 0x4000), 10);
  const before = model({
    nodes: [
      node("SequenceConstruct", ["c", "c"], ["s"]),
      node("SequenceAt", ["s", "i"], ["a"]),
      node("Cast", ["c"], ["text"], { to: 8 }),
      node("Cast", ["text"], ["back"], { to: 1 }),
      node("Add", ["half", "half"], ["doubled"]),
      node("Cast", ["xh"], ["x"], { to: 1 }),
      node("Cast", ["x0"], ["xh"], { to: 10 }),
      node("Mul", ["xh", "doubled"], ["m"]),
      node("Cast", ["m"], ["mf"], { to: 1 }),
      node("Sum", ["x", "a", "back", "mf"], ["z"]),
    ],
    inputs: [value("x0", [2])],
    outputs: [value("z", [2])],
    initializers: [
      half,
      makeTensor("c", [2], Float32Array.of(3, 4)),
      makeTensor("i", [], BigInt64Array.of(0n)),
    ],
  });
  const after = await prepareModel(before, runConstants);
  const left = operators(after);
  assert.ok(left.includes("SequenceAt") && !left.includes("Add"), `${left}`);
  const doubled = after.graph.initializer.find(({ name }) => name === "doubled");
  assert.equal(doubled?.dataType, 10);
  await assertSameOutputs(before, after, { x0: { data: floats(2, normal), dims: [2] } });
});

Deno.test("prepareModel() lifts a model of IR version 3, whose weights are listed as inputs", async () => {
  const old = model({
    nodes: [
      node("Conv", ["x", "w"], ["y"]),
      node("BatchNormalization", ["y", ...BN_INPUTS], ["z"]),
    ],
    inputs: [value("x", [1, 2, 3, 3]), ...["w", ...BN_INPUTS].map((name) => value(name, []))],
    outputs: [value("z", [1, 4, 3, 3])],
    initializers: [weights("w", 4, 2, 1, 1), ...batchNorm(4)],
  });
  old.irVersion = 3n;
  const after = await prepareModel(old);
  assert.deepEqual(operators(after), ["Conv"]);
  assert.deepEqual(after.graph.input.map(({ name }) => name), ["x"]);
  assert.equal(after.irVersion, 4n);
});

Deno.test("prepareModel() leaves no BatchNormalization or Constant in the demo model and the same outputs", async () => {
  const before = readModel(Deno.readFileSync("data/fashion/model.onnx"), "demo");
  const after = await prepareModel(before, runConstants);
  const left = new Set(operators(after));
  assert.deepEqual([...left].sort(), [
    "Add",
    "Clip",
    "Conv",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
  ]);
  const image = { data: floats(3 * 784, normal), dims: [3, 1, 28, 28] };
  await assertSameOutputs(before, after, { image });
});
