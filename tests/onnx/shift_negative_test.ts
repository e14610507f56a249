import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type NodeProto,
  type TensorProto,
} from "../../onnx/file/onnx_pb.ts";
import { type Model, withFields } from "../../onnx/file/model.ts";
import { shiftNegative } from "../../onnx/rewrites/shift_negative.ts";
import { floatData, makeTensor } from "../../onnx/file/tensor.ts";
import { runInside } from "../support/exposed.ts";
import { model, node, value } from "../support/onnx.ts";
import { integers, operators, randomFeeds, scalar, weights } from "../support/rewrite.ts";
import { runModel } from "../support/run_model.ts";
import { assertSameFunction } from "../support/same_function.ts";

interface Case {
  nodes: NodeProto[];
  x?: (number | string)[];
  outputs?: Record<string, (number | string)[]>;
  constants?: TensorProto[];
  opset?: number;
}

const IMAGE = ["n", "c", "h", "w"];
const build = ({ nodes, x = [2, 4, 6, 6], outputs = { z: IMAGE }, constants = [], opset }: Case) =>
  model({
    nodes,
    inputs: [value("x", x)],
    outputs: Object.entries(outputs).map(([name, shape]) => value(name, shape)),
    initializers: [
      ...[scalar("zero", 0), scalar("three", 3), scalar("six", 6), scalar("one", 1)],
      ...[scalar("half", 0.5), scalar("root", Math.SQRT2), scalar("tenth", 0.1)],
      ...[weights("w", 8, 4, 3, 3), weights("v", 5, 8, 3, 3), weights("c", 5)],
      ...constants,
    ],
    opset,
  });

const conv = (input: string, constants: string, output: string, attributes = {}) =>
  node("Conv", [input, ...constants.split(" ")], [output], attributes);
const same = { pads: [1, 1, 1, 1] };
const hardSwish = (input: string, output: string) => node("HardSwish", [input], [output]);
/** Conv → HardSwish of 8 channels, named y. */
const HEAD = [conv("x", "w", "a", same), hardSwish("a", "y")];

function withText(plain: NodeProto, name: string, text: string): NodeProto {
  const s = new TextEncoder().encode(text);
  const { STRING } = AttributeProto_AttributeType;
  const attribute = create(AttributeProtoSchema, { name, type: STRING, s });
  return withFields(plain, { attribute: [...plain.attribute, attribute] });
}

/** Least value of each of these tensors for some input. */
async function minimaOf(
  before: Model,
  names: readonly string[],
  feeds: ReturnType<typeof randomFeeds>,
): Promise<Map<string, number>> {
  const inside = await runInside(before, names, feeds);
  return new Map(names.map((name) => {
    const min = inside.get(name)!.data.reduce((least, v) => Math.min(least, v), Infinity);
    return [name, min];
  }));
}

/** Shifts tensors by what a random input gives them, and asserts that nothing else changed. */
async function assertShift(before: Model, tensors: readonly string[]): Promise<Model> {
  const feeds = randomFeeds(before);
  const minima = await minimaOf(before, tensors, feeds);
  const result = await assertSameFunction(before, (given) => shiftNegative(given, minima), {
    feeds,
  });
  assert.deepEqual(result.shifted.map(({ tensor }) => tensor), tensors);
  const now = await minimaOf(result.model, result.shifted.map(({ shifted }) => shifted), feeds);
  for (const { tensor, shifted, shift } of result.shifted) {
    assert.equal(shift, -minima.get(tensor)!);
    // Behind another shift the tensor itself has been rounded otherwise.
    assert.ok(Math.abs(now.get(shifted)!) <= 1e-6, `${shifted}: ${now.get(shifted)}`);
  }
  return result.model;
}

/** Activations with a negative side, as exporters write them, from a to y. */
const ACTIVATIONS: Record<string, NodeProto[]> = {
  HardSwish: [hardSwish("a", "y")],
  "HardSwish of several nodes": [
    node("Add", ["a", "three"], ["p"]),
    node("Clip", ["p", "zero", "six"], ["q"]),
    node("Mul", ["a", "q"], ["r"]),
    node("Div", ["r", "six"], ["y"]),
  ],
  SiLU: [node("Sigmoid", ["a"], ["s"]), node("Mul", ["a", "s"], ["y"])],
  GELU: [
    node("Div", ["a", "root"], ["p"]),
    node("Erf", ["p"], ["q"]),
    node("Add", ["q", "one"], ["r"]),
    node("Mul", ["a", "r"], ["s"]),
    node("Mul", ["s", "half"], ["y"]),
  ],
  Mish: [
    node("Softplus", ["a"], ["p"]),
    node("Tanh", ["p"], ["q"]),
    node("Mul", ["a", "q"], ["y"]),
  ],
  LeakyRelu: [node("LeakyRelu", ["a"], ["y"], { alpha: 0.125 })],
  "LeakyRelu as Max": [node("Mul", ["a", "tenth"], ["p"]), node("Max", ["p", "a"], ["y"])],
  PRelu: [node("PRelu", ["a", "tenth"], ["y"])],
  Elu: [node("Elu", ["a"], ["y"])],
};
for (const [name, nodes] of Object.entries(ACTIVATIONS)) {
  Deno.test(`shiftNegative() shifts ${name}`, async () => {
    const before = build({
      nodes: [conv("x", "w", "a", same), ...nodes, conv("y", "v c", "z")],
    });
    const after = await assertShift(before, ["y"]);
    assert.deepEqual(operators(after).sort(), [...operators(before), "Add"].sort());
  });
}

/** What is shifted, and the nodes that come with it. */
const CASES: Record<string, Case & { tensors?: string[]; added: string[] }> = {
  "before a Conv with zero padding, bias and steps": {
    nodes: [...HEAD, conv("y", "v c", "z", { pads: [1, 0, 2, 1], strides: [2, 1] })],
    added: ["Add", "Pad"],
  },
  "before a Conv without bias": { nodes: [...HEAD, conv("y", "v", "z")], added: ["Add"] },
  "before a Conv with auto_pad VALID": {
    nodes: [...HEAD, withText(conv("y", "v", "z"), "auto_pad", "VALID")],
    added: ["Add"],
  },
  "before a Conv with auto_pad SAME_UPPER and a kernel of even size": {
    nodes: [
      ...HEAD,
      withText(conv("y", "e", "z"), "auto_pad", "SAME_UPPER"),
    ],
    constants: [weights("e", 5, 8, 2, 4)],
    added: ["Add", "Pad"],
  },
  "before a Conv with auto_pad SAME_LOWER and a kernel of even size": {
    nodes: [...HEAD, withText(conv("y", "e", "z"), "auto_pad", "SAME_LOWER")],
    constants: [weights("e", 5, 8, 2, 4)],
    added: ["Add", "Pad"],
  },
  "before a depthwise and a grouped Conv": {
    nodes: [
      ...HEAD,
      conv("y", "d", "m", { group: 8, ...same }),
      hardSwish("m", "u"),
      conv("u", "g c8", "z", { group: 2, ...same }),
    ],
    constants: [weights("d", 16, 1, 3, 3), weights("g", 8, 8, 3, 3), weights("c8", 8)],
    tensors: ["y", "u"],
    added: ["Add", "Add", "Pad", "Pad"],
  },
  "before a 1-D Conv with padding": {
    nodes: [
      conv("x", "w1", "a"),
      hardSwish("a", "y"),
      conv("y", "v1", "z", { pads: [2, 1], dilations: [2] }),
    ],
    x: [2, 4, 9],
    outputs: { z: ["n", "c", "t"] },
    constants: [weights("w1", 6, 4, 3), weights("v1", 5, 6, 3)],
    added: ["Add", "Pad"],
  },
  "before two Convs": {
    nodes: [...HEAD, conv("y", "v c", "z", same), conv("y", "u", "t")],
    outputs: { z: IMAGE, t: IMAGE },
    constants: [weights("u", 3, 8, 1, 1)],
    added: ["Add", "Pad"],
  },
  "before a Pad with zeros and one with elements": {
    nodes: [
      ...HEAD,
      node("Pad", ["y", "pads"], ["p"]),
      node("Pad", ["p", "pads", "tenth"], ["q"]),
      withText(node("Pad", ["q", "pads", "tenth"], ["r"]), "mode", "reflect"),
      conv("r", "v c", "z"),
    ],
    constants: [integers("pads", [0, 0, 1, 1, 0, 0, 0, 1])],
    added: ["Add"],
  },
  "before a Pad with axes (opset 18)": {
    nodes: [...HEAD, node("Pad", ["y", "pads", "", "axes"], ["p"]), conv("p", "v c", "z")],
    constants: [integers("pads", [1, 0, 2, 1]), integers("axes", [-1, 2])],
    opset: 18,
    added: ["Add"],
  },
  "before pools": {
    nodes: [
      ...HEAD,
      node("MaxPool", ["y"], ["m"], { kernel_shape: [3, 3], strides: [2, 2], ...same }),
      conv("m", "v c", "z", same),
      node("AveragePool", ["y"], ["p"], { kernel_shape: [3, 3], ...same }),
      node("AveragePool", ["p"], ["q"], { kernel_shape: [2, 2], count_include_pad: 1 }),
      node("GlobalAveragePool", ["q"], ["g"]),
      node("Flatten", ["g"], ["f"]),
      node("Gemm", ["f", "u", "c"], ["t"], { transB: 1, alpha: 0.5, beta: 2 }),
    ],
    outputs: { z: IMAGE, t: ["n", 5] },
    constants: [weights("u", 5, 8)],
    added: ["Add", "Pad"],
  },
  "before an AveragePool with ceil_mode": {
    nodes: [
      ...HEAD,
      node("AveragePool", ["y"], ["p"], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
      conv("p", "v", "z", same),
    ],
    added: ["Add", "Pad"],
  },
  "before Resize, ReduceMean, Unsqueeze, Squeeze and Transpose": {
    nodes: [
      ...HEAD,
      withText(node("Resize", ["y", "", "scales"], ["s"]), "mode", "linear"),
      node("ReduceMean", ["s"], ["m"], { axes: [2, 3], keepdims: 0 }),
      node("Unsqueeze", ["m", "last"], ["p"]),
      node("Squeeze", ["p", "last"], ["q"]),
      node("Transpose", ["q"], ["t"], { perm: [1, 0] }),
      node("Gemm", ["t", "u"], ["z"], { transA: 1 }),
    ],
    outputs: { z: ["n", 5] },
    constants: [
      weights("u", 8, 5),
      integers("last", [2]),
      makeTensor("scales", [4], Float32Array.of(1, 1, 2, 2)),
    ],
    added: ["Add"],
  },
  "before a Split and a Slice": {
    nodes: [
      ...HEAD,
      node("Split", ["y"], ["s", "t"], { axis: 1 }),
      conv("s", "u", "z", same),
      node("Slice", ["t", "first", "last"], ["p"]),
      conv("p", "u", "q"),
    ],
    outputs: { z: IMAGE, q: IMAGE },
    constants: [weights("u", 3, 4, 1, 1), integers("first", [1]), integers("last", [2])],
    added: ["Add", "Pad"],
  },
  "before a Reshape that asks for its shape": {
    nodes: [
      ...HEAD,
      node("Shape", ["y"], ["shape"]),
      node("Gather", ["shape", "first"], ["batch"]),
      node("Concat", ["batch", "rest"], ["target"], { axis: 0 }),
      node("Reshape", ["y", "target"], ["f"]),
      node("Gemm", ["f", "u"], ["z"]),
    ],
    outputs: { z: ["n", 5] },
    constants: [weights("u", 288, 5), integers("first", [0]), integers("rest", [-1])],
    added: ["Add"],
  },
  "before MatMuls of rank 3, with a bias behind, two readers, and none": {
    nodes: [
      node("MatMul", ["x", "w2"], ["a"]),
      hardSwish("a", "y"),
      node("MatMul", ["y", "v2"], ["m"]),
      node("Add", ["c", "m"], ["z"]),
      node("MatMul", ["y", "v2"], ["t"]),
      node("MatMul", ["y", "v2"], ["n"]),
      node("Neg", ["n"], ["r"]),
      node("Add", ["n", "c"], ["s"]),
    ],
    x: [2, 3, 16],
    outputs: { z: [2, 3, 5], t: [2, 3, 5], r: [2, 3, 5], s: [2, 3, 5] },
    constants: [weights("w2", 16, 8), weights("v2", 8, 5)],
    added: ["Add", "Add", "Add"],
  },
  "before a MatMul of a vector": {
    nodes: [
      node("MatMul", ["x", "w2"], ["a"]),
      hardSwish("a", "y"),
      node("MatMul", ["y", "v2"], ["z"]),
    ],
    x: [16],
    outputs: { z: [5] },
    constants: [weights("w2", 16, 8), weights("v2", 8, 5)],
    added: ["Add", "Add"],
  },
};
for (const [name, parts] of Object.entries(CASES)) {
  Deno.test(`shiftNegative() is exact ${name}`, async () => {
    const before = build(parts);
    const after = await assertShift(before, parts.tensors ?? ["y"]);
    assert.deepEqual(operators(after).sort(), [...operators(before), ...parts.added].sort());
  });
}

Deno.test("shiftNegative() makes a MatMul of matrices a Gemm with a bias", async () => {
  const before = build({
    nodes: [
      node("MatMul", ["x", "w2"], ["a"]),
      hardSwish("a", "y"),
      node("MatMul", ["y", "v2"], ["z"]),
    ],
    x: [3, 16],
    outputs: { z: [3, 5] },
    constants: [weights("w2", 16, 8), weights("v2", 8, 5)],
  });
  const after = await assertShift(before, ["y"]);
  assert.deepEqual(operators(after), ["MatMul", "HardSwish", "Add", "Gemm"]);
});

Deno.test("shiftNegative() leaves weights, and biases that another layer reads, too", async () => {
  const before = build({
    nodes: [...HEAD, conv("y", "v c", "z"), node("Neg", ["c"], ["n"])],
    outputs: { z: IMAGE, n: [5] },
  });
  const after = await assertShift(before, ["y"]);
  const data = ({ graph }: Model, name: string) =>
    floatData(graph.initializer.find((tensor) => tensor.name === name)!);
  for (const name of ["w", "v", "c"]) assert.deepEqual(data(after, name), data(before, name));
});

Deno.test("shiftNegative() shifts the first of two tensors on one way", () => {
  const before = build({
    nodes: [
      ...HEAD,
      node("MaxPool", ["y"], ["m"], { kernel_shape: [2, 2] }),
      conv("m", "v c", "z"),
    ],
  });
  const { shifted } = shiftNegative(before, new Map([["m", -0.25], ["y", -0.375]]));
  assert.deepEqual(shifted, [{ tensor: "y", shifted: "y/shifted", shift: 0.375 }]);
});

Deno.test("shiftNegative() takes a minimum that isn't the one seen", async () => {
  const before = build({ nodes: [...HEAD, conv("y", "v c", "z", same)] });
  const minima = new Map([["y", -0.3]]);
  const { shifted } = await assertSameFunction(before, (given) => shiftNegative(given, minima));
  assert.equal(shifted[0].shift, Math.fround(0.3));
});

/** What isn't certainly exact. */
const LEFT: Record<string, Case & { minimum?: number }> = {
  "a minimum of 0": { nodes: [...HEAD, conv("y", "v", "z")], minimum: 0 },
  "a minimum above 0": { nodes: [...HEAD, conv("y", "v", "z")], minimum: 0.5 },
  "a minimum that isn't a number": { nodes: [...HEAD, conv("y", "v", "z")], minimum: NaN },
  "an infinite minimum": { nodes: [...HEAD, conv("y", "v", "z")], minimum: -Infinity },
  "a minimum that would take the bias out of float32": {
    nodes: [...HEAD, conv("y", "v", "z")],
    minimum: -3.4e38,
  },
  "a tensor that is an output of the model": {
    nodes: [...HEAD, conv("y", "v", "z")],
    outputs: { z: IMAGE, y: IMAGE },
  },
  "a pool on the way that is an output of the model": {
    nodes: [...HEAD, node("GlobalMaxPool", ["y"], ["m"]), conv("m", "u", "z")],
    outputs: { z: IMAGE, m: IMAGE },
    constants: [weights("u", 5, 8, 1, 1)],
  },
  "a residual connection": {
    nodes: [...HEAD, conv("y", "u", "s", same), node("Add", ["y", "s"], ["z"])],
    constants: [weights("u", 8, 8, 3, 3)],
  },
  "a squeeze-and-excitation block": {
    nodes: [
      ...HEAD,
      node("GlobalAveragePool", ["y"], ["g"]),
      conv("g", "u", "e"),
      node("Sigmoid", ["e"], ["h"]),
      node("Mul", ["y", "h"], ["t"]),
      conv("t", "v", "z"),
    ],
    constants: [weights("u", 8, 8, 1, 1)],
  },
  "a ConvTranspose": {
    nodes: [...HEAD, node("ConvTranspose", ["y", "u"], ["z"])],
    constants: [weights("u", 8, 5, 3, 3)],
  },
  "one of two layers that can't absorb it": {
    nodes: [
      ...HEAD,
      conv("y", "v", "z"),
      node("ConvTranspose", ["y", "u"], ["t"]),
    ],
    outputs: { z: IMAGE, t: IMAGE },
    constants: [weights("u", 8, 5, 3, 3)],
  },
  "auto_pad SAME_UPPER with steps": {
    nodes: [...HEAD, withText(conv("y", "v", "z", { strides: [2, 2] }), "auto_pad", "SAME_UPPER")],
  },
  "an AveragePool that counts its padding": {
    nodes: [
      ...HEAD,
      node("AveragePool", ["y"], ["p"], { kernel_shape: [3, 3], ...same, count_include_pad: 1 }),
      conv("p", "v", "z"),
    ],
  },
  "a cubic Resize": {
    nodes: [
      ...HEAD,
      withText(node("Resize", ["y", "", "scales"], ["s"]), "mode", "cubic"),
      conv("s", "v", "z"),
    ],
    constants: [makeTensor("scales", [4], Float32Array.of(1, 1, 2, 2))],
  },
  "a Pad with a computed value": {
    nodes: [
      ...HEAD,
      node("ReduceMax", ["x"], ["max"], { keepdims: 0 }),
      node("Pad", ["y", "pads", "max"], ["p"]),
      conv("p", "v", "z"),
    ],
    constants: [integers("pads", [0, 0, 1, 1, 0, 0, 0, 1])],
  },
  "a ReduceSum": {
    nodes: [
      ...HEAD,
      node("ReduceSum", ["y", "plane"], ["s"]),
      conv("s", "u", "z"),
    ],
    constants: [weights("u", 5, 8, 1, 1), integers("plane", [2, 3])],
  },
  "a Relu": { nodes: [...HEAD, node("Relu", ["y"], ["r"]), conv("r", "v", "z")] },
  "a MatMul of two activations": {
    nodes: [
      hardSwish("x", "y"),
      node("Transpose", ["x"], ["t"], { perm: [1, 0] }),
      node("MatMul", ["y", "t"], ["z"]),
    ],
    x: [3, 16],
    outputs: { z: [3, 3] },
  },
  "a MatMul with several matrices of weights": {
    nodes: [hardSwish("x", "y"), node("MatMul", ["y", "u"], ["z"])],
    x: [2, 3, 4],
    outputs: { z: [2, 3, 5] },
    constants: [weights("u", 2, 4, 5)],
  },
  "a Gemm whose bias has several rows": {
    nodes: [hardSwish("x", "y"), node("Gemm", ["y", "u", "b"], ["z"])],
    x: [3, 4],
    outputs: { z: [3, 5] },
    constants: [weights("u", 4, 5), weights("b", 3, 5)],
  },
  "a Gemm whose bias is the tensor": {
    nodes: [hardSwish("x", "y"), node("Gemm", ["x", "u", "y"], ["z"])],
    x: [4, 4],
    outputs: { z: [4, 4] },
    constants: [weights("u", 4, 4)],
  },
  "a model below opset 11": {
    nodes: [conv("x", "w", "a"), node("Elu", ["a"], ["y"]), conv("y", "v", "z")],
    opset: 10,
  },
  "an input of the model": {
    nodes: [node("Identity", ["x"], ["other"]), node("Gemm", ["x", "u"], ["z"])],
    x: [3, 4],
    outputs: { z: [3, 5], other: [3, 4] },
    constants: [weights("u", 4, 5)],
  },
};
for (const [name, parts] of Object.entries(LEFT)) {
  Deno.test(`shiftNegative() leaves ${name}`, async () => {
    const before = build(parts);
    const minimum = parts.minimum ?? -0.375;
    const after = shiftNegative(before, new Map([["y", minimum], ["x", minimum]]));
    assert.equal(after.model, before);
    assert.deepEqual(after.shifted, []);
    await runModel(before, randomFeeds(before));
  });
}
