import assert from "node:assert/strict";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { watchedTensors } from "../../../tpc/placement/types.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { model, node, value } from "../../support/onnx.ts";

const target = presetTarget("default")!;
const image = value("x", ["N", 2, 8, 8]);
const w = (name: string, ...dims: number[]) =>
  makeTensor(name, dims, new Float32Array(dims.reduce((a, b) => a * b)).fill(0.1));
const scalar = (name: string, x: number) => makeTensor(name, [], Float32Array.of(x));

function place(
  nodes: ReturnType<typeof node>[],
  outputs: string[],
  initializers: ReturnType<typeof makeTensor>[] = [],
) {
  const { graph } = model({
    nodes,
    inputs: [image],
    outputs: outputs.map((name) => value(name, ["N", 2, 8, 8])),
    initializers: [
      w("w", 2, 2, 1, 1),
      w("b", 2),
      scalar("zero", 0),
      scalar("six", 6),
      ...initializers,
    ],
  });
  return resolve(outlineGraph(graph), target);
}

const summary = (placement: ReturnType<typeof place>) =>
  placement.activations.map(({ tensor, fused, sameAs, clamp }) => ({
    tensor,
    ...(fused.length ? { fused } : {}),
    ...(sameAs ? { sameAs } : {}),
    ...(clamp.low !== null || clamp.high !== null ? { clamp: [clamp.low, clamp.high] } : {}),
  }));

Deno.test("resolve() fuses Clip into Conv and watches its output only", () => {
  const placement = place([
    node("Conv", ["x", "w", "b"], ["c"]),
    node("Clip", ["c", "zero", "six"], ["y"]),
  ], ["y"]);
  assert.deepEqual(summary(placement), [{ tensor: "x" }, {
    tensor: "y",
    fused: ["Clip_y"],
    clamp: [0, 6],
  }]);
  assert.deepEqual(watchedTensors(placement), ["x", "y"]);
  const [weights] = placement.weights;
  assert.deepEqual([weights.tensor, weights.axis, weights.bias?.tensor, weights.activation], [
    "w",
    0,
    "b",
    "x",
  ]);
  assert.deepEqual(placement.float, []);
});

Deno.test("resolve() reads the bounds of Clip from attributes, as before opset 11", () => {
  const { graph } = model({
    nodes: [node("Conv", ["x", "w"], ["c"]), node("Clip", ["c"], ["y"], { min: 0, max: 6 })],
    inputs: [image],
    outputs: [value("y", ["N", 2, 8, 8])],
    initializers: [w("w", 2, 2, 1, 1)],
    opset: 10,
  });
  assert.deepEqual(summary({ ...resolve(outlineGraph(graph), target) })[1].clamp, [0, 6]);
});

Deno.test("resolve() doesn't fuse an activation whose input is read elsewhere or is an output", () => {
  const shared = place([
    node("Conv", ["x", "w"], ["c"]),
    node("Relu", ["c"], ["y"]),
    node("Add", ["c", "y"], ["z"]),
  ], ["z"]);
  assert.deepEqual(summary(shared).map(({ tensor }) => tensor), ["x", "c", "y", "z"]);
  const output = place([node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["y"])], ["y", "c"]);
  assert.deepEqual(summary(output).map(({ tensor }) => tensor), ["x", "c", "y"]);
});

Deno.test("resolve() lets preserving operators keep the quantization of their input, through chains", () => {
  const placement = place(
    [
      node("Conv", ["x", "w"], ["c"]),
      node("MaxPool", ["c"], ["p"], { kernel_shape: [2, 2] }),
      node("Flatten", ["p"], ["f"]),
      node("Gemm", ["f", "g"], ["y"]),
    ],
    ["y"],
    [w("g", 32, 4)],
  );
  assert.deepEqual(summary(placement), [
    { tensor: "x" },
    { tensor: "c" },
    { tensor: "p", sameAs: "c" },
    { tensor: "f", sameAs: "c" },
  ]);
  assert.equal(placement.weights[1].axis, 1);
});

Deno.test("resolve() quantizes the input of a preserving operator for the sake of its reader", () => {
  const placement = place([
    node("Transpose", ["x"], ["t"], { perm: [0, 1, 3, 2] }),
    node("Conv", ["t", "w"], ["y"]),
  ], ["y"]);
  assert.deepEqual(summary(placement), [{ tensor: "x" }, { tensor: "t", sameAs: "x" }, {
    tensor: "y",
  }]);
});

Deno.test("resolve() leaves what it can't quantize float and says why", () => {
  const placement = place([
    node("Conv", ["x", "w"], ["c"]),
    node("Erf", ["c"], ["e"]),
    node("Mul", ["e", "six"], ["k"]),
    node("Abs", ["k"], ["m"]),
    node("Conv", ["m", "m"], ["dynamic"]),
    node("Conv", ["m", "w"], ["y"]),
  ], ["y", "dynamic"]);
  assert.deepEqual(placement.float.map(({ op, reason }) => [op, reason]), [
    ["Erf", "target default doesn't quantize Erf"],
    ["Mul", "on an island of float operators: on integers it would only add a quantizer"],
    ["Abs", "target default doesn't quantize Abs"],
    ["Conv", "its weights are not constant float32"],
  ]);
  assert.deepEqual(summary(placement).map(({ tensor }) => tensor), ["x", "c", "m", "y"]);
  assert.match(placement.activations[2].reason, /output of Abs \(float\)/);
  assert.deepEqual(placement.float.map(({ island }) => island), [0, 0, 0, 1]);
});

Deno.test("resolve() doesn't take shape arithmetic for activations", () => {
  const one = makeTensor("one", [4], BigInt64Array.of(0n, 0n, 0n, 0n));
  const placement = place(
    [
      node("Shape", ["x"], ["s"]),
      node("Add", ["s", "one"], ["s2"]),
      node("Concat", ["s2"], ["s3"], { axis: 0 }),
      node("Conv", ["x", "w"], ["c"]),
      node("Reshape", ["c", "s3"], ["y"]),
    ],
    ["y"],
    [one],
  );
  assert.deepEqual(summary(placement).map(({ tensor }) => tensor), ["x", "c", "y"]);
  assert.deepEqual(placement.float, []);
});

Deno.test("resolve() doesn't fuse what a sub-graph captures", () => {
  const conv = node("Conv", ["x", "w"], ["c"]);
  const relu = node("Relu", ["c"], ["y"]);
  const { graph } = model({
    nodes: [conv, relu],
    inputs: [image],
    outputs: [value("y", ["N", 2, 8, 8])],
    initializers: [w("w", 2, 2, 1, 1)],
  });
  const outline = outlineGraph(graph);
  const capturing = {
    name: "If",
    op: "If",
    domain: "",
    inputs: ["flag"],
    outputs: ["i"],
    attributes: {},
    captures: ["c"],
  };
  const placement = resolve({ ...outline, nodes: [...outline.nodes, capturing] }, target);
  assert.deepEqual(summary(placement).map(({ tensor }) => tensor), ["x", "c", "y"]);
});

Deno.test("resolve() fixes the range of operators that the target names, from the graph and not from data", () => {
  const place2 = (op: string, fixed: string[]) => {
    const inputs = op === "Clip" ? ["x", "zero", "six"] : ["x"];
    const { graph } = model({
      nodes: [node(op, inputs, ["s"]), node("Conv", ["s", "w"], ["y"])],
      inputs: [image],
      outputs: [value("y", ["N", 2, 8, 8])],
      initializers: [w("w", 2, 2, 1, 1), scalar("zero", 0), scalar("six", 6)],
    });
    const operatorSets = [
      {
        name: "fixed",
        operators: fixed,
        use: "float" as const,
        output: { fixedRange: true as const },
      },
      ...target.operatorSets.filter(({ name }) => name !== "known ranges"),
    ];
    const fixing = { ...target, operatorSets };
    return resolve(outlineGraph(graph), fixing).activations.find(({ tensor }) => tensor === "s")
      ?.spec.fixedRange;
  };
  assert.deepEqual(place2("Softmax", ["Softmax"]), { op: "Softmax", low: 0, high: 1 });
  assert.deepEqual(place2("Clip", ["Clip"]), { op: "Clip", low: 0, high: 6 });
  assert.equal(place2("Softmax", ["Clip"]), undefined);
  assert.equal(place2("Relu", ["Clip"]), undefined, "half-open ranges can't be fixed");
});

Deno.test("resolve() puts no quantizer round an Identity", () => {
  const placement = place([node("Conv", ["x", "w"], ["c"]), node("Identity", ["c"], ["y"])], ["y"]);
  assert.deepEqual(summary(placement), [{ tensor: "x" }, { tensor: "c" }]);
  assert.deepEqual(placement.float.map(({ op }) => op), ["Identity"]);
});

Deno.test("resolve() gives one grid to all ends of an operator that wants it, chosen for all its inputs", () => {
  const tflite = presetTarget("tflite")!;
  const { graph } = model({
    nodes: [
      node("Conv", ["x", "w"], ["a"]),
      node("Conv", ["x", "w"], ["b"]),
      node("Concat", ["a", "b"], ["c"], { axis: 1 }),
      node("MaxPool", ["c"], ["p"], { kernel_shape: [1, 1] }),
      node("Concat", ["p", "a"], ["y"], { axis: 1 }),
      node("Conv", ["y", "v"], ["z"]),
    ],
    inputs: [image],
    outputs: [value("z", ["N", 2, 8, 8])],
    initializers: [w("w", 2, 2, 1, 1), w("v", 2, 6, 1, 1)],
  });
  const { activations } = resolve(outlineGraph(graph), tflite);
  assert.deepEqual(
    activations.map(({ tensor, sameAs, isDerived }) => [tensor, sameAs, isDerived]),
    [
      ["x", undefined, false],
      ["a", undefined, false],
      ["b", "a", false],
      ["c", "a", true],
      ["p", "a", true],
      ["y", "a", true],
      ["z", undefined, false],
    ],
  );
  assert.deepEqual(activations[1].sharedWith, ["b"]);
  assert.deepEqual(watchedTensors({ activations, weights: [] }), [
    "x",
    "a",
    "b",
    "z",
  ]);
});

Deno.test("outlineGraph() takes a negative dimension for a dynamic one, as Paddle writes it", () => {
  const { graph } = model({
    nodes: [node("Conv", ["x", "w"], ["y"])],
    inputs: [value("x", [-1, 2, 8, 8])],
    outputs: [value("y", ["N", 2, 8, 8])],
    initializers: [w("w", 2, 2, 1, 1)],
  });
  assert.deepEqual(outlineGraph(graph).inputs[0].shape, [null, 2, 8, 8]);
});

Deno.test("resolve() leaves masks and their Softmax float, constant ones and such that the model makes", () => {
  const tensor = (name: string, ...values: number[]) =>
    makeTensor(name, [1, values.length], Float32Array.from(values));
  const attention = (...mask: ReturnType<typeof node>[]) => [
    node("MatMul", ["x", "m"], ["q"]),
    ...mask,
    node("Softmax", ["s"], ["p"]),
    node("MatMul", ["p", "m"], ["y"]),
  ];
  const constants = [
    w("m", 8, 8),
    scalar("one", 1),
    scalar("least", -3.4028235e38),
    tensor("causal", 0, 0, 0, 0, 0, 0, 0, -Infinity),
    tensor("bias", 0, 0, 0, 0, 0, 0, 0, -9),
  ];
  const bert = [
    node("Sub", ["one", "x"], ["inverse"]),
    node("Mul", ["inverse", "least"], ["mask"]),
    node("Add", ["q", "mask"], ["s"]),
  ];
  const placed = (...mask: ReturnType<typeof node>[]) =>
    place(attention(...mask), ["y"], constants);
  for (const mask of [[node("Add", ["q", "causal"], ["s"])], bert]) {
    const placement = placed(...mask);
    const float = placement.float.map(({ op }) => op);
    assert.ok(["Add", "Softmax"].every((op) => float.includes(op)), float.join());
    assert.ok(!float.includes("MatMul"));
    const watched = watchedTensors(placement);
    assert.deepEqual(["s", "mask"].filter((name) => watched.includes(name)), []);
    assert.ok(watched.includes("p"));
    assert.ok(!watched.includes("q"), "the kernel gives float where float reads it");
  }
  const biased = placed(node("Add", ["q", "bias"], ["s"]));
  assert.ok(watchedTensors(biased).includes("s"), "a bias of positions is no mask");
});
