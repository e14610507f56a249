/** Kernels that really ran for small models, and the reasons that follow from their graphs. */
import assert from "node:assert/strict";
import type { NodeProto } from "../../../onnx/file/onnx_pb.ts";
import { exampleFeeds } from "../../../pipeline/inference/example_feeds.ts";
import { profileKernels } from "../../../pipeline/inference/profile.ts";
import { fusionReport } from "../../../pipeline/report/fusion.ts";
import { explainFusion, type Fusion, nameNodes } from "../../../tpc/emission/fusion.ts";
import { makeTensor, type TensorData } from "../../../onnx/file/tensor.ts";
import { model, node, value } from "../../support/onnx.ts";

const constant = (name: string, data: TensorData) => makeTensor(name, [], data);
/** s… are scales, u…, i… zero points. */
const CONSTANTS = [
  constant("s", Float32Array.of(0.05)),
  constant("s2", Float32Array.of(0.06)),
  constant("u128", Uint8Array.of(128)),
  constant("u0", Uint8Array.of(0)),
  constant("i0", Int8Array.of(0)),
  constant("wide", Uint16Array.of(32768)),
  constant("six", Float32Array.of(6)),
  constant("zero", Float32Array.of(0)),
  makeTensor("w", [2, 2, 1, 1], Int8Array.of(1, 2, 3, 4)),
  makeTensor("g", [4, 4], new Int8Array(16).fill(3)),
  makeTensor("wf", [2, 2, 1, 1], Float32Array.of(1, 2, 3, 4)),
  makeTensor("b", [2], Int32Array.of(5, 6)),
  constant("sw", Float32Array.of(0.01)),
  makeTensor("offset", [4], Float32Array.of(1, 2, 3, 4)),
  makeTensor("roi", [0], new Float32Array(0)),
  makeTensor("twice", [4], Float32Array.of(1, 1, 2, 2)),
];

/** x → Q → DQ → y. */
const q = (x: string, y: string, zero = "u128", scale = "s") => [
  node("QuantizeLinear", [x, scale, zero], [`${y}_codes`]),
  node("DequantizeLinear", [`${y}_codes`, scale, zero], [y]),
];
const weights = (name = "w", scale = "sw") =>
  node("DequantizeLinear", [name, scale, "i0"], [`${name}_dq`]);

async function fusionOf(nodes: NodeProto[], output: string, opset = 17): Promise<Fusion> {
  const made = nameNodes(model({
    ...{ nodes, opset, initializers: CONSTANTS },
    inputs: [value("x", ["N", 2, 4, 4])],
    outputs: [value(output, ["N", "C", "H", "W"])],
  }));
  return explainFusion(
    made,
    await profileKernels(made, exampleFeeds(made, new Map()), "the test model"),
  );
}

const conv = (inputs: string[], output: string) => node("Conv", inputs, [output]);

/** Nodes; name of the last; kernel that runs for the named node; why, or undefined for integers. */
const CASES: Record<
  string,
  { nodes: NodeProto[]; of: string; kernel: string; reason?: RegExp; opset?: number }
> = {
  "a Conv with quantizers all around": {
    nodes: [...q("x", "a"), weights(), conv(["a", "w_dq"], "c"), ...q("c", "y")],
    ...{ of: "Conv_c", kernel: "QLinearConv" },
  },
  "a Conv whose Relu the quantizer clamps": {
    nodes: [
      ...[...q("x", "a"), weights(), conv(["a", "w_dq"], "c"), node("Relu", ["c"], ["r"])],
      ...q("r", "y", "u0"),
    ],
    ...{ of: "Conv_c", kernel: "QLinearConv" },
  },
  "a Conv whose Relu the quantizer doesn't clamp": {
    nodes: [
      ...[...q("x", "a"), weights(), conv(["a", "w_dq"], "c"), node("Relu", ["c"], ["r"])],
      ...q("r", "y"),
    ],
    ...{ of: "Conv_c", kernel: "FusedConv", reason: /^Relu "Relu_r" stands before its quantizer/ },
  },
  "a Conv without a quantizer behind it": {
    nodes: [...q("x", "a"), weights(), conv(["a", "w_dq"], "y")],
    of: "Conv_y",
    kernel: "Conv",
    reason: /^its output "y" is an output of the model, and not quantized$/,
  },
  "a Conv with a float reader": {
    nodes: [
      ...[...q("x", "a"), weights(), conv(["a", "w_dq"], "c"), node("Tanh", ["c"], ["t"])],
      ...[...q("c", "d"), node("Add", ["t", "d"], ["y"])],
    ],
    of: "Conv_c",
    kernel: "Conv",
    reason: /^its output "c" is not quantized on every edge: Tanh "Tanh_t" reads it$/,
  },
  "a Conv that reads floats": {
    nodes: [node("Tanh", ["x"], ["t"]), weights(), conv(["t", "w_dq"], "c"), ...q("c", "y")],
    ...{ of: "Conv_c", kernel: "Conv", reason: /^its input "t" is float, from Tanh "Tanh_t"$/ },
  },
  "two Conv that read int8": {
    nodes: [
      ...[...q("x", "a", "i0"), weights(), conv(["a", "w_dq"], "c")],
      ...[...q("c", "d", "i0"), conv(["a", "w_dq"], "e"), ...q("e", "f", "i0")],
      ...[node("Add", ["d", "f"], ["g0"]), ...q("g0", "y", "i0")],
    ],
    of: "Conv_c",
    kernel: "Conv",
    reason: /^int8 activations: x64 and wasm have integer kernels for uint8 only$/,
  },
  "16-bit activations": {
    nodes: [...q("x", "a", "wide"), weights(), conv(["a", "w_dq"], "c"), ...q("c", "y", "wide")],
    ...{ of: "Conv_c", kernel: "Conv", opset: 21, reason: /^16-bit activations \(uint16\)/ },
  },
  "a bias of another scale": {
    nodes: [
      ...[...q("x", "a"), weights(), node("DequantizeLinear", ["b", "s2"], ["b_dq"])],
      ...[conv(["a", "w_dq", "b_dq"], "c"), ...q("c", "y")],
    ],
    ...{ of: "Conv_c", kernel: "Conv", reason: /^the scale of its bias is not input scale/ },
  },
  "ConvTranspose": {
    nodes: [
      ...[...q("x", "a"), weights(), node("ConvTranspose", ["a", "w_dq"], ["c"]), ...q("c", "y")],
    ],
    ...{ of: "ConvTranspose_c", kernel: "ConvTranspose" },
    reason: /^ConvTranspose has no integer kernel$/,
  },
  "MatMul without a quantizer behind it": {
    nodes: [...q("x", "a"), weights("g"), node("MatMul", ["a", "g_dq"], ["y"])],
    ...{ of: "MatMul_y", kernel: "MatMulIntegerToFloat" },
  },
  "MatMul by a float tensor": {
    nodes: [...q("x", "a"), node("Tanh", ["x"], ["t"]), node("MatMul", ["a", "t"], ["y"])],
    ...{ of: "MatMul_y", kernel: "MatMul", reason: /^its input "t" is float, from Tanh/ },
  },
  "Add of a float constant": {
    nodes: [...q("x", "a"), node("Add", ["a", "offset"], ["c"]), ...q("c", "y")],
    ...{ of: "Add_c", kernel: "Add", reason: /^its constant "offset" is float$/ },
  },
  "MaxPool between different scales": {
    nodes: [
      ...[...q("x", "a"), node("MaxPool", ["a"], ["c"], { kernel_shape: [1, 1] })],
      ...q("c", "y", "u128", "s2"),
    ],
    of: "MaxPool_c",
    kernel: "MaxPool",
    reason: /^scales or zero points in and out differ \(0\.05\d* around 128 and 0\.059/,
  },
  "Transpose on codes": {
    nodes: [
      ...[...q("x", "a"), node("Transpose", ["a"], ["c"], { perm: [0, 1, 3, 2] })],
      ...q("c", "y"),
    ],
    ...{ of: "Transpose_c", kernel: "Transpose" },
  },
};

for (const [name, { nodes, of, kernel, reason, opset }] of Object.entries(CASES)) {
  Deno.test(`explainFusion(): ${name} ${reason ? "runs in float" : "runs on integers"}`, async () => {
    const { nodes: rows } = await fusionOf(nodes, "y", opset);
    const row = rows.find(({ node }) => node === of)!;
    assert.equal(row.kernel, kernel, JSON.stringify(rows, null, 1));
    assert.equal(row.arithmetic, reason ? "float" : "integer");
    if (reason) assert.match(row.reason!, reason);
    else assert.equal(row.reason, undefined);
  });
}

Deno.test("explainFusion() counts linear layers, and what ran between the nodes", async () => {
  const fusion = await fusionOf([
    ...[...q("x", "a"), weights(), conv(["a", "w_dq"], "c"), ...q("c", "d")],
    ...[node("Tanh", ["d"], ["t"]), conv(["t", "wf"], "y")],
  ], "y");
  assert.deepEqual(fusion.linear, { integer: 1, total: 2 });
  assert.deepEqual(fusion.between, { QuantizeLinear: 1, DequantizeLinear: 1, Transpose: 2 });
  const text = fusionReport(fusion);
  assert.match(text, /^Conv +Conv_c +QLinearConv +integer$/m);
  assert.match(text, /^Conv +Conv_y +Conv +float +its input "t" is float, from Tanh "Tanh_t"$/m);
  assert.match(text, /^1 of 2 convolutions and matrix products/m);
});

Deno.test("explainFusion() names nodes without a name, and those that didn't run", async () => {
  const [relu, abs] = [node("Relu", ["c"], ["r"]), node("Abs", ["r"], ["y"])];
  const fusion = await fusionOf(
    [conv(["x", "wf"], "c"), { ...relu, name: "" }, { ...abs, name: "" }],
    "y",
  );
  assert.deepEqual(
    fusion.nodes.map(({ node, op, kernel }) => [node, op, kernel]),
    [["Conv_c", "Conv", "FusedConv"], ["r", "Relu", null], ["y", "Abs", "Abs"]],
  );
  assert.match(fusionReport(fusion), /^Relu +r +– +– +part of another node/m);
});

Deno.test("nameNodes() gives each node a name of its own and leaves the model as it was", () => {
  const twins = model({
    nodes: [node("Abs", ["x"], ["a"]), node("Abs", ["a"], ["y"])].map((twin) => ({
      ...twin,
      name: "same",
    })),
    inputs: [value("x", [1])],
    outputs: [value("y", [1])],
  });
  assert.deepEqual(nameNodes(twins).graph.node.map(({ name }) => name), ["same", "same_2"]);
  assert.deepEqual(twins.graph.node.map(({ name }) => name), ["same", "same"]);
});
