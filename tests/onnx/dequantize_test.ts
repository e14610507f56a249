/** Models that are quantized already: refused, or turned back into float. */
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { GraphProtoSchema, type NodeProto, type TensorProto } from "../../onnx/file/onnx_pb.ts";
import { loadFloatModel, quantize } from "../../pipeline/quantize/quantize.ts";
import { PlimsollError } from "../../core/errors.ts";
import { dequantizeModel, refuseQuantized } from "../../onnx/prepare/dequantize.ts";
import { type Model, readModel, writeModel } from "../../onnx/file/model.ts";
import { floatData, makeTensor, type TensorData } from "../../onnx/file/tensor.ts";
import { presetTarget } from "../../tpc/targets/read_target.ts";
import { demoModel, demoSamples } from "../support/demo.ts";
import { model, node, value } from "../support/onnx.ts";
import { floats, gaussian } from "../support/random.ts";
import { operators } from "../support/rewrite.ts";
import { assertSameOutputs, runModel } from "../support/run_model.ts";

const scalar = (name: string, data: TensorData) => makeTensor(name, [], data);
const CONSTANTS = [
  scalar("s", Float32Array.of(0.1)),
  scalar("s2", Float32Array.of(0.2)),
  scalar("u0", Uint8Array.of(0)),
  scalar("u128", Uint8Array.of(128)),
  scalar("u60", Uint8Array.of(60)),
  scalar("u200", Uint8Array.of(200)),
  scalar("i0", Int8Array.of(0)),
  makeTensor("w", [2, 2, 1, 1], Float32Array.of(0.5, -1, 2, -0.25)),
];
/** x → Q → DQ → y. */
const q = (x: string, y: string, zero: string) => [
  node("QuantizeLinear", [x, "s", zero], [`${y}_codes`]),
  node("DequantizeLinear", [`${y}_codes`, "s", zero], [y]),
];
const made = (nodes: NodeProto[], output = "y", initializers: TensorProto[] = [], opset = 21) =>
  model({
    ...{ nodes, opset },
    inputs: [value("x", ["N", 2, 4, 4])],
    outputs: [value(output, ["N", "C", "H", "W"])],
    initializers: [...CONSTANTS, ...initializers],
  });
const normal = gaussian(7);
const feeds = { x: { dims: [1, 2, 4, 4], data: floats(32, normal) } };

/** A constant and what DequantizeLinear makes of it, here and in the runtime. */
async function assertExact(
  codes: TensorProto,
  scales: TensorProto,
  zeros: TensorProto | undefined,
  attributes: Record<string, number> = {},
): Promise<void> {
  const inputs = [codes.name, scales.name, ...(zeros ? [zeros.name] : [])];
  const graph = model({
    nodes: [
      node("DequantizeLinear", inputs, ["real"], attributes),
      node("Add", ["real", "zero"], ["sum"]),
      node("Mul", ["sum", "x"], ["y"]),
    ],
    inputs: [value("x", [1])],
    outputs: [value("y", codes.dims.map(Number))],
    initializers: [codes, scales, ...(zeros ? [zeros] : []), scalar("zero", Float32Array.of(0))],
    opset: 21,
  });
  const float = dequantizeModel(graph, "m");
  assert.deepEqual(operators(float), ["Add", "Mul"]);
  const tensor = float.graph.initializer.find(({ name }) => name === "real")!;
  const expected = await runModel(graph, { x: { dims: [1], data: Float32Array.of(1) } });
  assert.deepEqual([...floatData(tensor)!], [...expected.get("y")!.data]);
  assert.deepEqual(tensor.dims, codes.dims);
}

Deno.test("dequantizeModel() gives constants the runtime's values, bit for bit", async () => {
  const random = (name: string, ...dims: number[]) =>
    makeTensor(name, dims, floats(dims.reduce((a, b) => a * b, 1), normal).map(Math.abs));
  const int8 = makeTensor("c", [3, 4], Int8Array.from({ length: 12 }, (_, i) => i * 23 - 128));
  await assertExact(int8, random("scale"), undefined);
  await assertExact(int8, random("scale"), scalar("z", Int8Array.of(-7)));
  const zeros = makeTensor("z", [3], Int8Array.of(1, -2, 127));
  await assertExact(int8, random("scale", 3), zeros, { axis: 0 });
  await assertExact(int8, random("scale", 4), undefined, { axis: -1 });
  const uint8 = makeTensor("c", [2, 4], Uint8Array.of(0, 1, 2, 127, 128, 253, 254, 255));
  await assertExact(uint8, random("scale", 4), makeTensor("z", [4], Uint8Array.of(9, 8, 255, 0)));
  const bias = makeTensor("c", [3], Int32Array.of(2 ** 31 - 1, -(2 ** 24) - 1, 5));
  await assertExact(bias, random("scale", 3), undefined, { axis: 0 });
  const wide = makeTensor("c", [2], Uint16Array.of(65535, 1));
  await assertExact(wide, random("scale"), scalar("z", Uint16Array.of(32768)));
});

Deno.test("dequantizeModel() reads blocks, and 4-bit codes two a byte", async () => {
  const random = (...dims: number[]) =>
    makeTensor("scale", dims, floats(dims.reduce((a, b) => a * b, 1), normal).map(Math.abs));
  const codes = makeTensor("c", [4, 6], Int8Array.from({ length: 24 }, (_, i) => i * 5 - 60));
  await assertExact(codes, random(2, 6), undefined, { axis: 0, block_size: 2 });
  await assertExact(codes, random(4, 2), undefined, { axis: 1, block_size: 3 });
  const packed = Uint8Array.of(0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0x0e);
  for (const dataType of [21, 22]) {
    const four = { ...makeTensor("c", [8], new Int8Array(8)), dataType, rawData: packed };
    four.dims = [15n];
    await assertExact(four, random(), undefined);
  }
});

Deno.test("dequantizeModel() takes pairs out and leaves the names", async () => {
  const pairs = made([
    ...q("x", "x_dq", "u128"),
    node("Conv", ["x_dq", "w"], ["c_QuantizeLinear_Input"]),
    ...q("c_QuantizeLinear_Input", "c", "u128"),
    node("Tanh", ["c"], ["t"]),
    ...q("t", "t_dq", "u128"),
    node("Abs", ["t_dq"], ["y"]),
  ]);
  const float = dequantizeModel(pairs, "m");
  assert.deepEqual(
    float.graph.node.map(({ opType, input, output }) => [opType, ...input, ...output]),
    [["Conv", "x", "w", "c"], ["Tanh", "c", "t"], ["Abs", "t", "y"]],
  );
  const constants = new Set(float.graph.initializer.map(({ name }) => name));
  assert.deepEqual(["w", "s", "u128"].filter((name) => constants.has(name)), ["w"]);
  assert.equal(operators(pairs).length, 9, "the model stays as it was");
  await assertSameOutputs(pairs, float, feeds, 0.2);
});

const CLAMPED: Record<string, { nodes: NodeProto[]; left: string[]; tolerance?: number }> = {
  "a Clip on codes becomes one on real numbers": {
    nodes: [
      node("Conv", ["x", "w"], ["c"]),
      node("QuantizeLinear", ["c", "s", "u128"], ["k"]),
      node("Clip", ["k", "u60", "u200"], ["l"]),
      node("DequantizeLinear", ["l", "s", "u128"], ["y"]),
    ],
    left: ["Conv", "Clip"],
  },
  "a grid that starts at zero keeps the Relu that went into it": {
    nodes: [node("Conv", ["x", "w"], ["c"]), ...q("c", "y", "u0")],
    left: ["Conv", "Clip"],
  },
  "a grid that starts at zero leaves nothing where nothing is negative": {
    nodes: [
      ...[node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["r"]), ...q("r", "s0", "u0")],
      ...[node("MaxPool", ["s0"], ["m"], { kernel_shape: [2, 2] }), ...q("m", "y", "u0")],
    ],
    left: ["Conv", "Relu", "MaxPool"],
  },
  "operators that move codes move real numbers": {
    nodes: [
      ...[node("Conv", ["x", "w"], ["c"]), node("QuantizeLinear", ["c", "s", "u0"], ["k"])],
      ...[node("MaxPool", ["k"], ["m"], { kernel_shape: [2, 2] })],
      node("Transpose", ["m"], ["t"], { perm: [0, 1, 3, 2] }),
      ...[node("DequantizeLinear", ["t", "s", "u0"], ["d"]), node("Abs", ["d"], ["y"])],
    ],
    left: ["Conv", "Clip", "MaxPool", "Transpose", "Abs"],
  },
  "several readers with a pair each share the clamp": {
    nodes: [
      ...[node("Conv", ["x", "w"], ["c"]), node("QuantizeLinear", ["c", "s", "u0"], ["k"])],
      node("DequantizeLinear", ["k", "s", "u0"], ["d"]),
      node("DequantizeLinear", ["k", "s", "u0"], ["e"]),
      node("Add", ["d", "e"], ["y"]),
    ],
    left: ["Conv", "Clip", "Add"],
  },
  "a weight behind a pair is the float one": {
    nodes: [...q("w", "wd", "u128"), node("Conv", ["x", "wd"], ["y"])],
    left: ["Conv"],
  },
  "an input that is an output is copied": {
    nodes: [...q("x", "y", "u128")],
    left: ["Identity"],
  },
};

for (const [name, { nodes, left }] of Object.entries(CLAMPED)) {
  Deno.test(`dequantizeModel(): ${name}`, async () => {
    const before = made(nodes);
    const float = dequantizeModel(before, "m");
    assert.deepEqual(operators(float), left);
    // Half a step of a tenth, through weights of up to three in all.
    await assertSameOutputs(before, float, feeds, 0.1);
  });
}

Deno.test("dequantizeModel() copies for sub-graphs, which keep their names", () => {
  const body = create(GraphProtoSchema, {
    node: [node("Abs", ["a"], ["b"])],
    output: [value("b", [])],
  });
  const branch = node("If", ["condition"], ["y"]);
  branch.attribute.push(
    ...["then_branch", "else_branch"].map((name) => {
      const [attribute] = node("A", [], [], { a: 1 }).attribute;
      return { ...attribute, name, g: body };
    }),
  );
  const before = made([...q("x", "a", "u128"), branch], "y", [
    scalar("condition", Int8Array.of(1)),
  ]);
  assert.deepEqual(operators(dequantizeModel(before, "m")), ["Identity", "If"]);
});

const dequantize = (input: string, scale = "s") => node("DequantizeLinear", [input, scale], ["y"]);
const REFUSED: Record<string, { nodes: NodeProto[]; message: RegExp; opset?: number }> = {
  "ConvInteger": {
    nodes: [
      node("DynamicQuantizeLinear", ["x"], ["k", "ks", "kz"]),
      node("ConvInteger", ["k", "u0"], ["y"]),
    ],
    message: /found DynamicQuantizeLinear "DynamicQuantizeLinear_k", which computes with codes/,
  },
  "an operator on codes": {
    nodes: [
      node("QuantizeLinear", ["x", "s", "u0"], ["k"]),
      ...[node("Cast", ["k"], ["f"], { to: 1 }), node("Abs", ["f"], ["y"])],
    ],
    message: /found Cast "Cast_f", which computes with codes/,
  },
  "scales that differ": {
    nodes: [node("QuantizeLinear", ["x", "s", "u0"], ["k"]), dequantize("k", "s2")],
    message: /whose scale or zero point isn't that of QuantizeLinear "QuantizeLinear_k"/,
  },
  "codes from nowhere": {
    nodes: [dequantize("x")],
    message: /DequantizeLinear "DequantizeLinear_y", whose codes no QuantizeLinear makes/,
  },
  "a scale that is computed": {
    nodes: [
      ...[node("ReduceMax", ["x"], ["m"]), node("QuantizeLinear", ["x", "m", "u0"], ["k"])],
      dequantize("k", "m"),
    ],
    message: /QuantizeLinear "QuantizeLinear_k", whose scale isn't a float32 constant/,
  },
  "codes as an output": {
    nodes: [node("QuantizeLinear", ["x", "s", "u0"], ["y"])],
    message: /QuantizeLinear "QuantizeLinear_y", which makes an output of the model/,
  },
  "an old opset": { nodes: q("x", "y", "u0"), opset: 10, message: /opset 10, before 11/ },
};

for (const [name, { nodes, message, opset }] of Object.entries(REFUSED)) {
  Deno.test(`dequantizeModel() refuses ${name} with the reason`, () => {
    assert.throws(
      () => dequantizeModel(made(nodes, "y", [], opset), "m"),
      (error) =>
        error instanceof PlimsollError && error.kind === "model" && message.test(error.message),
    );
  });
}

Deno.test("refuseQuantized() names the first operator and the number of them", () => {
  refuseQuantized(made([node("Abs", ["x"], ["y"])]), "m");
  assert.throws(
    () => refuseQuantized(made(q("x", "y", "u0")), "m.onnx"),
    /reading "m.onnx" as a float model.*found QuantizeLinear "QuantizeLinear_y_codes" and 1 more quantized operators.*option `requantize`/,
  );
});

Deno.test("a float model is returned as it is", () => {
  const float = made([node("Abs", ["x"], ["y"])]);
  assert.equal(dequantizeModel(float, "m"), float);
});

/** Root of the mean squared difference, against that of the first. */
function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [error, power] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    error += (a[i] - b[i]) ** 2;
    power += a[i] ** 2;
  }
  return Math.sqrt(error / power);
}

Deno.test("the demo's emitted model turned into float has the demo's operators and is near it", async () => {
  const target = presetTarget("default")!;
  const float = await demoModel();
  const first = await quantize(float, await demoSamples(64), { target });
  const file = await loadFloatModel(first.model, "q", { quantized: "dequantize" });
  assert.deepEqual(operators(file.original), operators(float.prepared));
  const digest = await crypto.subtle.digest("SHA-256", first.model);
  assert.equal(file.sha256, new Uint8Array(digest).toHex(), "the hash is the file's");
  const second = await quantize(file, await demoSamples(64), { target });

  const samples = await Array.fromAsync(await demoSamples(40));
  const image = {
    dims: [samples.length, 1, 28, 28],
    data: Float32Array.from(samples.flatMap(({ input }) => [...input.data])),
  };
  const logits = async (model: Model) => (await runModel(model, { image })).get("logits")!.data;
  const [reference, back, again, once] = [
    await logits(float.prepared),
    await logits(file.original),
    await logits(readModel(second.model, "second")),
    await logits(readModel(first.model, "first")),
  ];
  assert.ok(relativeError(reference, back) < 0.02, `${relativeError(reference, back)}`);
  assert.ok(relativeError(once, again) < 0.05, `${relativeError(once, again)}`);
});

Deno.test("loadFloatModel() refuses a quantized model unless told otherwise", async () => {
  const file = writeModel(made(q("x", "y", "u0")));
  await assert.rejects(loadFloatModel(file, "m"), /as a float model/);
  const kept = await loadFloatModel(file, "m", { quantized: "keep" });
  assert.deepEqual(operators(kept.original), ["QuantizeLinear", "DequantizeLinear"]);
});
