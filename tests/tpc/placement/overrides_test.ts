import assert from "node:assert/strict";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { matchesPattern } from "../../../tpc/placement/overrides.ts";
import { addOverrides, parseTarget, presetTarget } from "../../../tpc/targets/read_target.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import { withSmallLayers } from "../../support/small_layers.ts";
import { model, node, value } from "../../support/onnx.ts";

const { graph } = model({
  nodes: [
    node("Conv", ["x", "w"], ["c"]),
    node("Relu", ["c"], ["r"]),
    node("MaxPool", ["r"], ["p"], { kernel_shape: [1, 1] }),
    node("Conv", ["p", "w"], ["y"]),
  ],
  inputs: [value("x", ["N", 2, 8, 8])],
  outputs: [value("y", ["N", 2, 8, 8])],
  initializers: [makeTensor("w", [2, 2, 1, 1], new Float32Array(4).fill(0.1))],
});
const outline = outlineGraph(graph);
const place = (name: string, ...overrides: unknown[]) =>
  resolve(outline, addOverrides(presetTarget(name)!, overrides));

Deno.test("an override by tensor, node or operator sets bits, and says so", () => {
  const { activations, weights } = place(
    "default",
    { match: { tensor: "r" }, activation: { bits: 6 } },
    { match: { node: "Conv_*" }, weight: { bits: 4 } },
    { match: { node: "Conv_y", operator: "Conv" }, weight: { bits: 5 } },
  );
  const r = activations.find(({ tensor }) => tensor === "r")!;
  assert.equal(r.spec.bits, 6);
  assert.match(r.reason, /set by the override for tensor r/);
  assert.deepEqual(weights.map(({ spec }) => spec.bits), [4, 5], "the last one counts");
});

Deno.test("an override leaves nodes float", () => {
  const { float, activations } = place("default", { match: { node: "Conv_y" }, quantize: false });
  assert.deepEqual(float.map(({ node, reason }) => [node, reason]), [
    ["Conv_y", "left float by the override for node Conv_y"],
  ]);
  assert.deepEqual(activations.map(({ tensor }) => tensor), ["x", "r", "p"]);
});

Deno.test("more than 8 bits take the storage of 16", () => {
  const { activations } = place("default", { match: { tensor: "r" }, activation: { bits: 12 } });
  assert.deepEqual(activations.map(({ storage }) => storage), [
    "uint8",
    "uint16",
    "uint8",
    "uint8",
  ]);
});

Deno.test("overrides that the target doesn't allow are refused, with what is allowed", () => {
  assert.throws(
    () => place("imx500", { match: { tensor: "r" }, activation: { bits: 5 } }),
    /activation\.bits to be one of 8, 16, found 5/,
  );
  assert.throws(
    () => parseTarget({ schemaVersion: 2, name: "t", extends: "imx500", weight: { bits: 5 } }, "t"),
    /weight\.bits to be one of 2, 4, 8, found 5/,
  );
});

Deno.test("overrides that fit nothing, or a tensor without a grid of its own, are errors", () => {
  const stray = { match: { node: "head*" }, quantize: false };
  assert.throws(() => place("default", stray), /none for node head\*/);
  assert.equal(place("default", { ...stray, optional: true }).float.length, 0);
  assert.throws(
    () => place("default", { match: { tensor: "p" }, activation: { bits: 4 } }),
    /"p", which has that of "r"/,
  );
  assert.throws(() => place("default", { match: { name: "x" } }), /match: .*name/);
});

Deno.test("an override reaches the chain that its node or tensor is fused into", () => {
  const changed = { activation: { bits: 16, constraint: "symmetric" } };
  for (const match of [{ node: "Conv_c" }, { tensor: "c" }, { operator: ["Gemm", "Conv"] }]) {
    const { activations } = place("default", { match, ...changed });
    const r = activations.find(({ tensor }) => tensor === "r")!;
    assert.deepEqual([r.spec.bits, r.spec.constraint], [16, "symmetric"], JSON.stringify(match));
  }
});

Deno.test("an input that an override leaves float is read by float nodes", () => {
  const { activations, float } = place("default", { match: { tensor: "x" }, quantize: false });
  assert.deepEqual(activations.map(({ tensor }) => tensor), ["r", "p", "y"]);
  assert.deepEqual(float.map(({ op, reason }) => [op, reason.includes("tensor x")]), [
    ["Conv", true],
    ["Relu", false],
  ]);
});

Deno.test("overrides that change nothing are refused, with the reason", () => {
  const cases: [unknown, RegExp][] = [
    [{ match: { node: "Relu_r" }, weight: { bits: 4 } }, /Relu Relu_r: no quantized weights/],
    [
      { match: { node: "MaxPool_p" }, activation: { bits: 4 } },
      /MaxPool MaxPool_p: no grid of its own/,
    ],
    [{ match: { tensor: "x" }, weight: { bits: 4 } }, /none for tensor x/],
  ];
  for (const [override, message] of cases) assert.throws(() => place("default", override), message);
  const float = { match: { node: "Conv_y" }, quantize: false };
  assert.throws(
    () => place("default", float, { match: { node: "Conv_y" }, weight: { bits: 4 } }),
    /Conv Conv_y: float, left float by the override/,
  );
});

Deno.test("blocks of weights where nothing takes them are refused", () => {
  const preset = withSmallLayers(presetTarget("onnxruntime")!);
  const target = { ...preset, weight: { ...preset.weight, granularity: "block" as const } };
  assert.throws(() => resolve(outline, target), /Use --weight-granularity channel/);
});

Deno.test("matchesPattern(): names, stars and regular expressions", () => {
  const cases: [string, string, boolean][] = [
    ["a/b", "a/b", true],
    ["a/b", "a/bc", false],
    ["*", "", true],
    ["conv*", "conv1", true],
    ["conv*", "a conv1", false],
    ["*block*conv*", "x/block3/conv_1", true],
    ["a*a", "a", false],
    ["a*b*b", "ab", false],
    ["a.c", "abc", false],
    ["/^a.c$/", "abc", true],
    ["/b/", "abc", true],
    ["/^b/", "abc", false],
  ];
  for (const [pattern, name, expected] of cases) {
    assert.equal(matchesPattern(pattern, name), expected, `${pattern} on ${name}`);
  }
});
