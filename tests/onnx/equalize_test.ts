import assert from "node:assert/strict";
import type { NodeProto, TensorProto } from "../../onnx/file/onnx_pb.ts";
import { equalize } from "../../onnx/rewrites/equalize.ts";
import type { Model } from "../../onnx/file/model.ts";
import { floatData, makeTensor } from "../../onnx/file/tensor.ts";
import { channelMaxima, runInside } from "../support/exposed.ts";
import { model, node, value } from "../support/onnx.ts";
import { floats, uniform } from "../support/random.ts";
import { operators, randomFeeds, scalar, weights } from "../support/rewrite.ts";
import { runModel } from "../support/run_model.ts";
import { assertSameFunction } from "../support/same_function.ts";

interface Case {
  nodes: NodeProto[];
  x?: (number | string)[];
  outputs?: Record<string, (number | string)[]>;
  constants: TensorProto[];
}

const IMAGE = ["n", "c", "h", "w"];
const build = ({ nodes, x = [2, 4, 6, 6], outputs = { z: IMAGE }, constants }: Case) =>
  model({
    nodes,
    inputs: [value("x", x)],
    outputs: Object.entries(outputs).map(([name, shape]) => value(name, shape)),
    initializers: [scalar("zero", 0), scalar("six", 6), ...constants],
  });

const conv = (input: string, constants: string, output: string, attributes = {}) =>
  node("Conv", [input, ...constants.split(" ")], [output], attributes);
const clip = (input: string, output: string) => node("Clip", [input, "zero", "six"], [output]);
const same = { pads: [1, 1, 1, 1] };
const random = uniform(61);
/** Weights whose rows along the first axis are of very different size, as after folding. */
function uneven(name: string, ...dims: number[]): TensorProto {
  const { data, row } = { data: floatData(weights(name, ...dims))!, row: dims.slice(1) };
  const length = row.reduce((a, b) => a * b, 1);
  const sizes = floats(dims[0], () => 2 ** (6 * random() - 3));
  return makeTensor(name, dims, data.map((w, i) => w * sizes[Math.floor(i / length)]));
}

const HEAD_WEIGHTS = [uneven("w", 8, 4, 3, 3), weights("b", 8)];
const TAIL_WEIGHTS = [weights("v", 5, 8, 3, 3), weights("c", 5)];
const around = (activation: NodeProto, ...constants: TensorProto[]): Case => ({
  nodes: [conv("x", "w b", "a", same), activation, conv("r", "v c", "z", same)],
  constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS, ...constants],
});

/** What is equalized, and the tensors that it changes. */
const CASES: Record<string, Case & { tensors: string[] }> = {
  "two Convs with nothing between": {
    nodes: [conv("x", "w b", "a", same), conv("a", "v c", "z")],
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS],
    tensors: ["a"],
  },
  "Convs around Relu": { ...around(node("Relu", ["a"], ["r"])), tensors: ["r"] },
  "Convs around Clip without upper bound": {
    ...around(node("Clip", ["a", "zero"], ["r"])),
    tensors: ["r"],
  },
  "Convs around LeakyRelu": {
    ...around(node("LeakyRelu", ["a"], ["r"], { alpha: 0.125 })),
    tensors: ["r"],
  },
  "Convs around PRelu with one slope": {
    ...around(node("PRelu", ["a", "s"], ["r"]), makeTensor("s", [1], Float32Array.of(0.3))),
    tensors: ["r"],
  },
  "Convs around PRelu with a slope of each channel": {
    ...around(node("PRelu", ["a", "s"], ["r"]), weights("s", 8, 1, 1)),
    tensors: ["r"],
  },
  "expand, depthwise and project": {
    nodes: [
      conv("x", "w b", "a", same),
      node("Relu", ["a"], ["r"]),
      conv("r", "d e", "m", { ...same, group: 8 }),
      node("Relu", ["m"], ["s"]),
      conv("s", "v c", "z"),
    ],
    constants: [...HEAD_WEIGHTS, uneven("d", 8, 1, 3, 3), weights("e", 8), ...TAIL_WEIGHTS],
    tensors: ["r", "s"],
  },
  "a depthwise Conv with two outputs a channel, and grouped ones": {
    nodes: [
      conv("x", "w", "a", { group: 2 }),
      conv("a", "d", "m", { group: 8 }),
      node("Relu", ["m"], ["s"]),
      conv("s", "v", "z", { group: 4 }),
    ],
    constants: [uneven("w", 8, 2, 1, 1), uneven("d", 16, 1, 3, 3), uneven("v", 8, 4, 1, 1)],
    tensors: ["a", "s"],
  },
  "ConvTransposes of two groups": {
    nodes: [
      node("ConvTranspose", ["x", "w", "b"], ["a"], { group: 2, strides: [2, 2] }),
      node("Relu", ["a"], ["r"]),
      node("ConvTranspose", ["r", "v"], ["z"], { group: 2 }),
    ],
    constants: [uneven("w", 4, 3, 2, 2), weights("b", 6), uneven("v", 6, 2, 3, 3)],
    tensors: ["r"],
  },
  "Gemms, one with transB": {
    nodes: [
      node("Gemm", ["x", "w", "b"], ["a"], { transB: 1, alpha: 0.5, beta: 2 }),
      node("Relu", ["a"], ["r"]),
      node("Gemm", ["r", "v", "c"], ["z"], { alpha: 2 }),
    ],
    x: [3, 16],
    outputs: { z: ["n", 5] },
    constants: [uneven("w", 8, 16), weights("b", 8), uneven("v", 8, 5), weights("c", 5)],
    tensors: ["r"],
  },
  "MatMuls of rank 3": {
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      node("LeakyRelu", ["a"], ["r"]),
      node("MatMul", ["r", "v"], ["z"]),
    ],
    x: [2, 3, 16],
    outputs: { z: ["n", 3, 5] },
    constants: [weights("w", 16, 8), uneven("v", 8, 5)],
    tensors: ["r"],
  },
};

for (const [name, parts] of Object.entries(CASES)) {
  Deno.test(`equalize() balances ${name}`, async () => {
    const before = build(parts);
    const after = await assertSameFunction(before, (given) => equalize(given, new Map()));
    assert.deepEqual(after.equalized.map(({ tensor }) => tensor), parts.tensors);
    assert.deepEqual(operators(after.model), operators(before));
  });
}

/** Largest magnitude of each row of a constant along an axis. */
function ranges({ graph }: Model, name: string, axis: number): Float64Array {
  const tensor = graph.initializer.find((constant) => constant.name === name)!;
  const data = floatData(tensor)!.map(Math.abs);
  return channelMaxima({ data, dims: tensor.dims.map(Number) }, axis);
}

function assertClose(actual: Float64Array, expected: Float64Array, tolerance: number) {
  assert.equal(actual.length, expected.length);
  actual.forEach((a, i) =>
    assert.ok(Math.abs(a / expected[i] - 1) <= tolerance, `${i}: ${a} and ${expected[i]}`)
  );
}

Deno.test("equalize() gives both layers of a pair the same ranges", () => {
  const { model: after } = equalize(build(CASES["Convs around Relu"]), new Map());
  assertClose(ranges(after, "w", 0), ranges(after, "v", 1), 1e-6);
});

Deno.test("equalize() gives all layers of a chain the same ranges, after several passes", () => {
  const { model: after } = equalize(build(CASES["expand, depthwise and project"]), new Map());
  assertClose(ranges(after, "w", 0), ranges(after, "d", 0), 5e-3);
  assertClose(ranges(after, "d", 0), ranges(after, "v", 1), 5e-3);
});

Deno.test("equalize() has nothing left to do the second time", () => {
  const options = { limit: 1000 };
  const once = equalize(build(CASES["Convs around Relu"]), new Map(), options);
  const twice = equalize(once.model, new Map(), options);
  assert.equal(twice.model, once.model);
  assert.deepEqual(twice.equalized, []);
});

Deno.test("equalize() keeps factors within the limit", async () => {
  const before = build(CASES["Convs around Relu"]);
  const { equalized } = await assertSameFunction(
    before,
    (given) => equalize(given, new Map(), { limit: 1.5 }),
  );
  const { factor } = equalized[0];
  assert.ok(factor.every((s) => s >= 1 / 1.5 && s <= 1.5));
  assert.ok(factor.includes(1.5));
});

Deno.test("equalize() leaves channels without weights", async () => {
  const before = build(CASES["Convs around Relu"]);
  const constants = before.graph.initializer.map((tensor) => {
    const data = floatData(tensor)!;
    if (tensor.name === "w") data.fill(0, 0, 36);
    // Input channel 3 of all 5 outputs.
    if (tensor.name === "v") {
      for (let o = 0; o < 5; o++) data.fill(0, (8 * o + 3) * 9, (8 * o + 4) * 9);
    }
    return makeTensor(tensor.name, tensor.dims.map(Number), data);
  });
  const dead = build({ ...CASES["Convs around Relu"], constants: constants.slice(2) });
  const { equalized } = await assertSameFunction(dead, (given) => equalize(given, new Map()));
  const { factor } = equalized[0];
  assert.equal(factor[0], 1);
  assert.equal(factor[3], 1);
  assert.ok(factor[1] !== 1);
});

Deno.test("equalize() copies weights that another layer reads, too", async () => {
  const before = build({
    nodes: [
      conv("x", "w", "a"),
      node("Relu", ["a"], ["r"]),
      conv("r", "w", "s"),
      conv("x", "w", "y"),
    ],
    outputs: { s: IMAGE, y: IMAGE },
    constants: [uneven("w", 4, 4, 3, 3)],
  });
  const { model: after, equalized } = await assertSameFunction(
    before,
    (given) => equalize(given, new Map()),
  );
  assert.equal(equalized.length, 1);
  assert.equal(new Set(after.graph.node.map(({ input }) => input[1])).size, 4);
});

/** Conv → ReLU6 → Conv where some channels are clipped, some come near to 6 and some stay small. */
function bounded(): Model {
  return build({
    ...around(clip("a", "r")),
    nodes: [conv("x", "w", "a", same), clip("a", "r"), conv("r", "v", "z", same)],
  });
}

Deno.test("equalize() scales only channels that a Clip doesn't clip, and keeps them below its bound", async () => {
  const before = bounded();
  const feeds = randomFeeds(before);
  const maxima = channelMaxima((await runInside(before, ["r"], feeds)).get("r")!, 1);
  maxima[7] = -0;
  for (const margin of [1, 1.5, 2]) {
    const { equalized } = await assertSameFunction(
      before,
      (given) => equalize(given, new Map([["r", maxima]]), { margin }),
      { feeds },
    );
    const [{ factor }] = equalized;
    const free = maxima.map((max) => Number(max > 0 && max * margin < 6));
    assert.ok(free.includes(0) && free.includes(1));
    factor.forEach((s, c) => assert.ok(free[c] === 1 ? s !== 1 : s === 1, `channel ${c}: ${s}`));
    factor.forEach((s, c) => assert.ok(s === 1 || s * margin * maxima[c] <= 6 * (1 + 1e-12)));
  }
});

Deno.test("equalize() is exact for values that are `margin` times those seen", async () => {
  const before = bounded();
  const feeds = randomFeeds(before);
  const maxima = channelMaxima((await runInside(before, ["r"], feeds)).get("r")!, 1);
  const { data, dims } = feeds.x;
  const doubled = { x: { data: data.map((v) => 2 * v), dims } };
  const rewrite = (given: Model) => equalize(given, new Map([["r", maxima]]), { margin: 2 });
  const { equalized } = await assertSameFunction(before, rewrite, { feeds: doubled });
  assert.ok(equalized[0].factor.some((s) => s > 1));
});

Deno.test("equalize() refuses options below 1", () => {
  const before = bounded();
  for (const options of [{ margin: 0.5 }, { limit: 0 }, { margin: NaN }]) {
    assert.throws(() => equalize(before, new Map(), options), RangeError);
  }
});

/** What isn't certainly exact, or has nothing to balance. */
const LEFT: Record<string, Case & { maxima?: number[] }> = {
  "a ReLU6 whose values weren't seen": around(clip("a", "r")),
  "a ReLU6 with maxima of another number of channels": {
    ...around(clip("a", "r")),
    maxima: [1, 1],
  },
  "a ReLU6 that clips every channel": {
    ...around(clip("a", "r")),
    maxima: new Array(8).fill(6),
  },
  "a ReLU6 with maxima that aren't numbers": {
    ...around(clip("a", "r")),
    maxima: new Array(8).fill(NaN),
  },
  "a Clip from another number": {
    ...around(node("Clip", ["a", "six"], ["r"])),
    maxima: new Array(8).fill(1),
  },
  "a Sigmoid": around(node("Sigmoid", ["a"], ["r"])),
  "a MaxPool": around(node("MaxPool", ["a"], ["r"], { kernel_shape: [2, 2] })),
  "a PRelu whose slope is the tensor": around(node("PRelu", ["a", "a"], ["r"])),
  "a residual connection": {
    nodes: [
      conv("x", "w", "a", same),
      node("Relu", ["a"], ["r"]),
      conv("r", "v", "s", same),
      node("Add", ["r", "s"], ["z"]),
    ],
    constants: [...HEAD_WEIGHTS, weights("v", 8, 8, 3, 3)],
  },
  "two layers behind": {
    nodes: [
      conv("x", "w", "a"),
      node("Relu", ["a"], ["r"]),
      conv("r", "v", "z"),
      conv("r", "v", "y"),
    ],
    outputs: { z: IMAGE, y: IMAGE },
    constants: [...HEAD_WEIGHTS, ...TAIL_WEIGHTS],
  },
  "a layer that is an output of the model": {
    ...around(node("Relu", ["a"], ["r"])),
    outputs: { z: IMAGE, a: IMAGE },
  },
  "an activation that is an output of the model": {
    ...around(node("Relu", ["a"], ["r"])),
    outputs: { z: IMAGE, r: IMAGE },
  },
  "a Gemm that reads its input transposed": {
    nodes: [
      node("Gemm", ["x", "w"], ["a"]),
      node("Relu", ["a"], ["r"]),
      node("Gemm", ["r", "v"], ["z"], { transA: 1 }),
    ],
    x: [8, 16],
    outputs: { z: [8, 5] },
    constants: [uneven("w", 16, 8), weights("v", 8, 5)],
  },
  "a MatMul along another axis": {
    nodes: [conv("x", "w", "a", same), conv("x", "w", "y"), node("MatMul", ["a", "v"], ["z"])],
    x: [2, 4, 6, 8],
    outputs: { z: IMAGE, y: IMAGE },
    constants: [uneven("w", 8, 4, 3, 3), weights("v", 8, 5)],
  },
  "a MatMul of two activations": {
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      node("Transpose", ["x"], ["t"], { perm: [1, 0] }),
      node("MatMul", ["a", "t"], ["z"]),
    ],
    x: [3, 16],
    outputs: { z: [3, 3] },
    constants: [weights("w", 16, 16)],
  },
  "a Gemm whose bias has several rows": {
    nodes: [
      node("Gemm", ["x", "w", "b"], ["a"]),
      node("Relu", ["a"], ["r"]),
      node("Gemm", ["r", "v"], ["z"]),
    ],
    x: [3, 16],
    outputs: { z: [3, 5] },
    constants: [uneven("w", 16, 8), weights("b", 3, 8), weights("v", 8, 5)],
  },
  "layers that are balanced": {
    nodes: [node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["a", "w"], ["z"])],
    x: [3, 4],
    outputs: { z: [3, 4] },
    constants: [makeTensor("w", [4, 4], new Float32Array(16).fill(1))],
  },
};
for (const [name, parts] of Object.entries(LEFT)) {
  Deno.test(`equalize() leaves ${name}`, async () => {
    const before = build(parts);
    const maxima = parts.maxima && Float64Array.from(parts.maxima);
    const after = equalize(before, new Map(maxima && [["r", maxima]]));
    assert.equal(after.model, before);
    assert.deepEqual(after.equalized, []);
    await runModel(before, randomFeeds(before));
  });
}
