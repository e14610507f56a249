import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  type NodeProto,
  type TensorProto,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "../../onnx/file/onnx_pb.ts";
import { runConstants } from "../../pipeline/inference/default_runtime.ts";
import { readModel, withFields } from "../../onnx/file/model.ts";
import { prepareModel } from "../../onnx/prepare/prepare.ts";
import { scaleReluBounds } from "../../onnx/rewrites/scale_relu_bounds.ts";
import { floatData, makeTensor } from "../../onnx/file/tensor.ts";
import { runInside } from "../support/exposed.ts";
import { model, node, value } from "../support/onnx.ts";
import { floats, gaussian } from "../support/random.ts";
import { integers, operators, randomFeeds, scalar, weights } from "../support/rewrite.ts";
import { runModel } from "../support/run_model.ts";
import { assertSameFunction } from "../support/same_function.ts";
import { sharedPath } from "../support/shared.ts";

interface Case {
  nodes: NodeProto[];
  x?: (number | string)[];
  outputs?: Record<string, (number | string)[]>;
  constants: TensorProto[];
  opset?: number;
}

const IMAGE = ["n", "c", "h", "w"];
const BOUNDS = [scalar("zero", 0), scalar("six", 6)];
const build = ({ nodes, x = [2, 4, 6, 6], outputs = { z: IMAGE }, constants, opset }: Case) =>
  model({
    nodes,
    inputs: [value("x", x)],
    outputs: Object.entries(outputs).map(([name, shape]) => value(name, shape)),
    initializers: [...BOUNDS, ...constants],
    opset,
  });

const conv = (input: string, constants: string, output: string, attributes = {}) =>
  node("Conv", [input, ...constants.split(" ")], [output], attributes);
const clip = (input: string, output: string) => node("Clip", [input, "zero", "six"], [output]);
const same = { pads: [1, 1, 1, 1] };
/** Conv → Clip(0, 6) of 8 channels, named r. */
const HEAD = [conv("x", "w b", "a", same), clip("a", "r")];
const HEAD_WEIGHTS = [weights("w", 8, 4, 3, 3), weights("b", 8)];
const TAIL_WEIGHTS = [weights("v", 5, 8, 3, 3), weights("c", 5)];

/** What is scaled, and the number of Clips that are. */
const CASES: Record<string, Case & { scaled: number }> = {
  "between two Convs": {
    nodes: [...HEAD, conv("r", "v c", "z", same)],
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS],
    scaled: 1,
  },
  "around a depthwise Conv": {
    nodes: [
      ...HEAD,
      conv("r", "d", "m", { ...same, group: 8 }),
      clip("m", "s"),
      conv("s", "v", "z"),
    ],
    constants: [...HEAD_WEIGHTS, weights("d", 8, 1, 3, 3), ...TAIL_WEIGHTS],
    scaled: 2,
  },
  "between ConvTransposes of two groups": {
    nodes: [
      node("ConvTranspose", ["x", "w", "b"], ["a"], { group: 2, strides: [2, 2] }),
      clip("a", "r"),
      node("ConvTranspose", ["r", "v"], ["z"], { group: 2 }),
    ],
    constants: [weights("w", 4, 3, 2, 2), weights("b", 6), weights("v", 6, 2, 3, 3)],
    scaled: 1,
  },
  "between Gemms with transB, alpha and beta": {
    nodes: [
      node("Gemm", ["x", "w", "b"], ["a"], { transB: 1, alpha: 0.5, beta: 2 }),
      clip("a", "r"),
      node("Gemm", ["r", "v", "c"], ["z"], { alpha: 2, beta: 0.25 }),
    ],
    x: [3, 16],
    outputs: { z: ["n", 5] },
    constants: [weights("w", 8, 16), weights("b", 8), weights("v", 8, 5), weights("c", 5)],
    scaled: 1,
  },
  "between Gemms that read their input transposed": {
    nodes: [
      node("Gemm", ["x", "w"], ["a"], { transA: 1 }),
      clip("a", "r"),
      node("Gemm", ["r", "v", "c"], ["z"], { transA: 1 }),
    ],
    x: [16, 3],
    outputs: { z: ["n", 5] },
    constants: [weights("w", 16, 8), weights("v", 3, 5), scalar("c", 2)],
    scaled: 1,
  },
  "between MatMuls of rank 3": {
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      clip("a", "r"),
      node("MatMul", ["r", "v"], ["z"]),
    ],
    x: [2, 3, 16],
    outputs: { z: ["n", 3, 5] },
    constants: [weights("w", 16, 8), weights("v", 8, 5)],
    scaled: 1,
  },
  "with bounds as attributes (opset 10)": {
    nodes: [
      HEAD[0],
      withFloats(node("Clip", ["a"], ["r"]), { min: 0, max: 6 }),
      conv("r", "v", "z"),
    ],
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS],
    opset: 10,
    scaled: 1,
  },
  "with another bound": {
    nodes: [HEAD[0], node("Clip", ["a", "zero", "five"], ["r"]), conv("r", "v", "z")],
    constants: [
      ...HEAD_WEIGHTS,
      ...TAIL_WEIGHTS,
      makeTensor("five", [], Float32Array.of(5.3)),
    ],
    scaled: 1,
  },
  "with two consumers": {
    nodes: [...HEAD, conv("r", "v c", "z", same), conv("r", "u", "y")],
    outputs: { z: IMAGE, y: IMAGE },
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS, weights("u", 3, 8, 1, 1)],
    scaled: 1,
  },
  "before a Pad with zeros": {
    nodes: [
      ...HEAD,
      node("Pad", ["r", "pads"], ["p"]),
      node("Pad", ["p", "pads", "zero"], ["q"]),
      conv("q", "v", "z"),
    ],
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS, integers("pads", [0, 0, 1, 1, 0, 0, 0, 1])],
    scaled: 1,
  },
  "before pools on two ways": {
    nodes: [
      ...HEAD,
      node("MaxPool", ["r"], ["m"], { kernel_shape: [2, 2], strides: [2, 2] }),
      conv("m", "v", "z"),
      node("AveragePool", ["r"], ["p"], { kernel_shape: [3, 3], ...same, count_include_pad: 1 }),
      node("GlobalAveragePool", ["p"], ["g"]),
      node("Flatten", ["g"], ["f"]),
      node("Gemm", ["f", "u", "c"], ["y"], { transB: 1 }),
    ],
    outputs: { z: IMAGE, y: ["n", 5] },
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS, weights("u", 5, 8)],
    scaled: 1,
  },
  "before ReduceMean, Unsqueeze, Squeeze, Transpose, Dropout and Identity": {
    nodes: [
      ...HEAD,
      node("ReduceMean", ["r"], ["m"], { axes: [2, 3], keepdims: 0 }),
      node("Unsqueeze", ["m", "last"], ["u1"]),
      node("Identity", ["u1"], ["i"]),
      node("Squeeze", ["i", "last"], ["s"]),
      node("Dropout", ["s"], ["o"]),
      node("Transpose", ["o"], ["t"], { perm: [1, 0] }),
      node("Gemm", ["t", "u"], ["z"], { transA: 1 }),
    ],
    outputs: { z: ["n", 5] },
    constants: [...HEAD_WEIGHTS, weights("u", 8, 5), integers("last", [2])],
    scaled: 1,
  },
  "before a Reshape that asks for its shape, as view(x.size(0), -1) does": {
    nodes: [
      ...HEAD,
      node("Shape", ["r"], ["shape"]),
      node("Gather", ["shape", "first"], ["batch"]),
      node("Concat", ["batch", "rest"], ["target"], { axis: 0 }),
      node("Reshape", ["r", "target"], ["f"]),
      node("MatMul", ["f", "u"], ["z"]),
    ],
    outputs: { z: ["n", 5] },
    constants: [
      ...HEAD_WEIGHTS,
      weights("u", 288, 5),
      integers("first", [0]),
      integers("rest", [-1]),
    ],
    scaled: 1,
  },
  "before a Relu and a Resize": {
    nodes: [
      ...HEAD,
      node("Relu", ["r"], ["s"]),
      node("Resize", ["s", "", "scales"], ["t"]),
      conv("t", "v", "z"),
    ],
    constants: [
      ...HEAD_WEIGHTS,
      ...TAIL_WEIGHTS,
      makeTensor("scales", [4], Float32Array.of(1, 1, 2, 2)),
    ],
    scaled: 1,
  },
  "before a Split and a Slice": {
    nodes: [
      ...HEAD,
      node("Split", ["r"], ["s", "t"], { axis: 1 }),
      conv("s", "u", "z"),
      node("Slice", ["t", "first", "last"], ["p"]),
      conv("p", "u", "y"),
    ],
    outputs: { z: IMAGE, y: IMAGE },
    constants: [
      ...HEAD_WEIGHTS,
      ...[weights("u", 3, 4, 1, 1), integers("first", [1]), integers("last", [2])],
    ],
    scaled: 1,
  },
  "beside a residual, in the branch only": {
    nodes: [
      conv("x", "w", "a"),
      clip("a", "r"),
      conv("r", "v", "p"),
      node("Add", ["p", "x"], ["z"]),
    ],
    constants: [weights("w", 8, 4, 1, 1), weights("v", 4, 8, 1, 1)],
    scaled: 1,
  },
};

/** A node with attributes of type FLOAT. */
function withFloats(plain: NodeProto, values: Record<string, number>): NodeProto {
  const { FLOAT } = AttributeProto_AttributeType;
  const attribute = Object.entries(values).map(([name, f]) =>
    create(AttributeProtoSchema, { name, f, type: FLOAT })
  );
  return withFields(plain, { attribute: [...plain.attribute, ...attribute] });
}

for (const [name, parts] of Object.entries(CASES)) {
  Deno.test(`scaleReluBounds() scales ${name}`, async () => {
    const before = build(parts);
    const after = await assertSameFunction(before, scaleReluBounds);
    assert.equal(after.scaled.length, parts.scaled);
    assert.deepEqual(operators(after.model), operators(before));
  });
}

Deno.test("scaleReluBounds() multiplies the tensor by 8/6, and clips what it clipped before", async () => {
  const before = build(CASES["between two Convs"]);
  const { model: after, scaled } = scaleReluBounds(before);
  assert.deepEqual(scaled, [{ tensor: "r", from: 6, to: 8 }]);
  const feeds = randomFeeds(before);
  const [old, now] = await Promise.all([
    runInside(before, ["r"], feeds),
    runInside(after, ["r"], feeds),
  ]);
  const [a, b] = [old.get("r")!.data, now.get("r")!.data];
  assert.ok(a.includes(6) && a.some((r) => r > 0 && r < 6));
  a.forEach((r, i) => assert.ok(Math.abs(b[i] - r * 8 / 6) < 1e-5));
  a.forEach((r, i) => assert.equal(b[i] === 8, r === 6));
});

Deno.test("scaleReluBounds() leaves the weights between two scaled bounds to the last bit", () => {
  const before = build(CASES["around a depthwise Conv"]);
  const { model: { graph } } = scaleReluBounds(before);
  const data = (from: TensorProto[], name: string) =>
    floatData(from.find((tensor) => tensor.name === name)!);
  const { initializer } = before.graph;
  assert.deepEqual(data(graph.initializer, "d"), data(initializer, "d"));
  assert.notDeepEqual(data(graph.initializer, "w"), data(initializer, "w"));
  assert.notDeepEqual(data(graph.initializer, "v"), data(initializer, "v"));
});

Deno.test("scaleReluBounds() has nothing left to do the second time", () => {
  const { model: once } = scaleReluBounds(build(CASES["around a depthwise Conv"]));
  const twice = scaleReluBounds(once);
  assert.equal(twice.model, once);
  assert.deepEqual(twice.scaled, []);
});

Deno.test("scaleReluBounds() copies constants that others read, too", async () => {
  const before = build({
    nodes: [
      conv("x", "w b", "a", same),
      clip("a", "r"),
      conv("r", "w b", "s", same),
      node("Clip", ["s", "zero", "six"], ["t"]),
      node("Add", ["t", "six"], ["u"]),
      conv("u", "w b", "z", same),
    ],
    constants: [weights("w", 4, 4, 3, 3), weights("b", 4)],
  });
  const { model: after, scaled } = await assertSameFunction(before, scaleReluBounds);
  assert.deepEqual(scaled.map(({ tensor }) => tensor), ["r"]);
  const convs = after.graph.node.filter(({ opType }) => opType === "Conv");
  assert.equal(new Set(convs.map(({ input }) => input[1])).size, 3);
  const inFile = (name: string) => after.graph.initializer.find((tensor) => tensor.name === name);
  assert.deepEqual(inFile("w"), before.graph.initializer.find(({ name }) => name === "w"));
  assert.deepEqual(floatData(inFile("six")!), Float32Array.of(6));
});

const ONE = scalar("one", 1);
/** What isn't certainly exact. */
const LEFT: Record<string, Case> = {
  "a bound that is a power of two": {
    nodes: [HEAD[0], node("Clip", ["a", "zero", "four"], ["r"]), conv("r", "v", "z")],
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS, scalar("four", 4)],
  },
  "a Relu": {
    nodes: [HEAD[0], node("Clip", ["a", "zero"], ["r"]), conv("r", "v", "z")],
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS],
  },
  "a lower bound other than 0": {
    nodes: [HEAD[0], node("Clip", ["a", "one", "six"], ["r"]), conv("r", "v", "z")],
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS, ONE],
  },
  "no lower bound": {
    nodes: [HEAD[0], node("Clip", ["a", "", "six"], ["r"]), conv("r", "v", "z")],
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS],
  },
  "a bound that is computed": {
    nodes: [
      HEAD[0],
      node("ReduceMax", ["x"], ["max"], { keepdims: 0 }),
      node("Clip", ["a", "zero", "max"], ["r"]),
      conv("r", "v", "z"),
    ],
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS],
  },
  "a Clip of the model's input": {
    nodes: [clip("x", "r"), conv("r", "w", "z")],
    constants: HEAD_WEIGHTS,
  },
  "a Clip that is an output of the model": {
    nodes: [...HEAD, conv("r", "v", "z")],
    outputs: { z: IMAGE, r: IMAGE },
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS],
  },
  "a pool behind it that is an output of the model": {
    nodes: [...HEAD, node("GlobalAveragePool", ["r"], ["y"]), conv("y", "u", "z")],
    outputs: { z: IMAGE, y: IMAGE },
    constants: [...HEAD_WEIGHTS, weights("u", 5, 8, 1, 1)],
  },
  "a layer that is an output of the model": {
    nodes: [...HEAD, conv("r", "v", "z")],
    outputs: { z: IMAGE, a: IMAGE },
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS],
  },
  "a layer that something else reads, too": {
    nodes: [...HEAD, conv("r", "v", "z"), node("Neg", ["a"], ["y"])],
    outputs: { z: IMAGE, y: IMAGE },
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS],
  },
  "a residual connection": {
    nodes: [
      ...HEAD,
      conv("r", "v", "s", same),
      node("Add", ["r", "s"], ["t"]),
      conv("t", "v", "z", same),
    ],
    constants: [...HEAD_WEIGHTS, weights("v", 8, 8, 3, 3)],
  },
  "a squeeze-and-excitation block": {
    nodes: [
      ...HEAD,
      node("GlobalAveragePool", ["r"], ["g"]),
      conv("g", "v", "e"),
      node("Sigmoid", ["e"], ["h"]),
      node("Mul", ["r", "h"], ["t"]),
      conv("t", "v", "z"),
    ],
    constants: [...HEAD_WEIGHTS, weights("v", 8, 8, 1, 1)],
  },
  "a Pad with another value": {
    nodes: [...HEAD, node("Pad", ["r", "pads", "one"], ["p"]), conv("p", "v", "z")],
    constants: [
      ...HEAD_WEIGHTS,
      ...TAIL_WEIGHTS,
      integers("pads", [0, 0, 1, 1, 0, 0, 1, 1]),
      ONE,
    ],
  },
  "a MatMul whose other side is computed": {
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      clip("a", "r"),
      node("Transpose", ["x"], ["t"], { perm: [1, 0] }),
      node("MatMul", ["r", "t"], ["z"]),
    ],
    x: [3, 16],
    outputs: { z: ["n", 3] },
    constants: [weights("w", 16, 16)],
  },
  "a MatMul with the constant on the left": {
    nodes: [
      node("MatMul", ["w", "x"], ["a"]),
      clip("a", "r"),
      node("MatMul", ["w", "r"], ["z"]),
    ],
    x: [16, 3],
    outputs: { z: ["n", 3] },
    constants: [weights("w", 16, 16)],
  },
  "a Gemm whose bias is the tensor": {
    nodes: [
      node("Gemm", ["x", "w"], ["a"]),
      clip("a", "r"),
      node("Gemm", ["x", "w", "r"], ["z"]),
    ],
    x: [3, 16],
    outputs: { z: ["n", 16] },
    constants: [weights("w", 16, 16)],
  },
  "a Gemm with a bias of several rows": {
    nodes: [
      node("Gemm", ["x", "w", "b"], ["a"]),
      clip("a", "r"),
      node("Gemm", ["r", "w"], ["z"]),
    ],
    x: [3, 16],
    outputs: { z: ["n", 16] },
    constants: [weights("w", 16, 16), weights("b", 3, 16)],
  },
  "a PRelu whose slope is the tensor": {
    nodes: [
      ...HEAD,
      node("PRelu", ["x8", "r"], ["s"]),
      conv("s", "v", "z"),
    ],
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS, weights("x8", 2, 8, 6, 6)],
  },
  "a Sigmoid behind it": {
    nodes: [...HEAD, node("Sigmoid", ["r"], ["s"]), conv("s", "v", "z")],
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS],
  },
  "a MaxPool whose indices are read": {
    nodes: [
      ...HEAD,
      node("MaxPool", ["r"], ["m", "indices"], { kernel_shape: [2, 2], strides: [2, 2] }),
      conv("m", "v", "z"),
      node("Cast", ["indices"], ["y"], { to: 1 }),
    ],
    outputs: { z: IMAGE, y: IMAGE },
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS],
  },
  "weights that would leave float32": {
    nodes: [
      conv("x", "w", "a"),
      clip("a", "r"),
      conv("r", "v", "z"),
    ],
    constants: [
      makeTensor("w", [8, 4, 1, 1], new Float32Array(32).fill(3e38)),
      weights("v", 4, 8, 1, 1),
    ],
  },
};
for (const [name, parts] of Object.entries(LEFT)) {
  Deno.test(`scaleReluBounds() leaves ${name}`, async () => {
    const before = build(parts);
    const after = scaleReluBounds(before);
    assert.equal(after.model, before);
    assert.deepEqual(after.scaled, []);
    await runModel(before, randomFeeds(before));
  });
}

Deno.test("scaleReluBounds() leaves a Clip that a sub-graph reads", async () => {
  const branch = (opType: string) =>
    create(GraphProtoSchema, {
      name: opType,
      node: [node(opType, ["r"], [`${opType}_of_r`])],
      output: [create(ValueInfoProtoSchema, {
        name: `${opType}_of_r`,
        type: create(TypeProtoSchema, {
          value: { case: "tensorType", value: { elemType: 1 } },
        }),
      })],
    });
  const { GRAPH } = AttributeProto_AttributeType;
  const fork = withFields(node("If", ["yes"], ["y"]), {
    attribute: [["then_branch", "Neg"], ["else_branch", "Abs"]].map(([name, opType]) =>
      create(AttributeProtoSchema, { name, type: GRAPH, g: branch(opType) })
    ),
  });
  const before = build({
    nodes: [...HEAD, conv("r", "v", "z"), fork],
    outputs: { z: IMAGE, y: IMAGE },
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS, makeTensor("yes", [], Uint8Array.of(1), 9)],
  });
  assert.equal(scaleReluBounds(before).model, before);
  await runModel(before, randomFeeds(before));
});

const lite0 = sharedPath("data/efficientnet-lite0/model.onnx");
Deno.test({
  name: "scaleReluBounds() scales every ReLU6 of EfficientNet-Lite0 (needs ../shared)",
  ignore: lite0 === undefined,
  fn: async () => {
    const raw = readModel(Deno.readFileSync(lite0!), "lite0");
    const before = await prepareModel(raw, runConstants);
    const [{ name }] = before.graph.input;
    const image = { data: floats(3 * 224 * 224, gaussian(7)), dims: [1, 3, 224, 224] };
    const { scaled } = await assertSameFunction(before, scaleReluBounds, {
      feeds: { [name]: image },
      tolerance: 2e-5,
    });
    const clips = operators(before).filter((op) => op === "Clip");
    assert.equal(clips.length, 33);
    assert.equal(scaled.length, clips.length);
    assert.ok(scaled.every(({ from, to }) => from === 6 && to === 8));
  },
});
