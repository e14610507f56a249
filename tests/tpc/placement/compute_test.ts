/** Overrides of how something computes: with floats and weights in codes, or with codes whatever that costs. */
import assert from "node:assert/strict";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { exactly, matchesPattern } from "../../../tpc/placement/overrides.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import { addOverrides, presetTarget } from "../../../tpc/targets/read_target.ts";
import { model, node, value } from "../../support/onnx.ts";
import { weights } from "../../support/rewrite.ts";

const { graph } = model({
  nodes: [
    node("Conv", ["x", "w"], ["c"]),
    node("Relu", ["c"], ["r"]),
    node("Conv", ["r", "w2"], ["d"]),
    node("Add", ["d", "r"], ["y"]),
  ],
  inputs: [value("x", ["N", 16, 8, 8])],
  outputs: [value("y", ["N", 16, 8, 8])],
  initializers: [weights("w", 16, 16, 3, 3), weights("w2", 16, 16, 1, 1)],
});
const place = (name: string, ...overrides: unknown[]) =>
  resolve(outlineGraph(graph), addOverrides(presetTarget(name)!, overrides));

Deno.test("compute float leaves a layer float, with weights in codes and the reason that was given", () => {
  const { float, weights } = place("default", {
    match: { node: "Conv_c" },
    compute: "float",
    reason: "its integer kernel is slow",
  });
  const [conv] = float;
  assert.deepEqual([conv.node, conv.reason], ["Conv_c", "its integer kernel is slow"]);
  assert.deepEqual(
    weights.map(({ node, compute, spec }) => [node, compute, spec.bits]),
    [["Conv_c", "float", 8], ["Conv_d", undefined, 8]],
  );
});

Deno.test("compute float takes the bits of weights that another override says", () => {
  const { weights } = place(
    "default",
    { match: { node: "Conv_c" }, compute: "float" },
    { match: { node: "Conv_c" }, weight: { bits: 5 } },
  );
  assert.equal(weights.find(({ node }) => node === "Conv_c")!.spec.bits, 5);
});

Deno.test("compute integer keeps what onlyIfCheaper would leave float", () => {
  const names = (placed: ReturnType<typeof place>) =>
    placed.activations.map(({ tensor }) => tensor);
  const float = { match: { node: "Conv_d" }, quantize: false };
  const pinned = { match: { node: "Add_y" }, compute: "integer" };
  assert.ok(!names(place("onnxruntime", float)).includes("y"));
  assert.ok(names(place("onnxruntime", float, pinned)).includes("y"));
});

Deno.test("compute integer of what the target can't is refused, but for overrides that may fit nothing", () => {
  const override = { match: { operator: "Add" }, compute: "integer" };
  const float = { match: { operator: "Add" }, quantize: false };
  assert.throws(() => place("default", override, float), /how something computes/);
  place("default", { ...override, optional: true }, float);
});

Deno.test("of several overrides of compute the last counts", () => {
  const integer = { match: { node: "Conv_c" }, compute: "integer", optional: true };
  const float = { match: { node: "Conv_c" }, compute: "float", optional: true };
  const kind = (...overrides: unknown[]) =>
    place("default", ...overrides).units.find(({ node }) => node === "Conv_c")!.kind;
  assert.equal(kind(integer, float), "float");
  assert.equal(kind(float, integer), "integer");
  assert.equal(kind({ match: { node: "Conv_c" }, quantize: false }, integer), "integer");
});

Deno.test("units say what computes as one, what it reads and whether it could give floats", () => {
  const { units } = place("onnxruntime", { match: { node: "*" }, compute: "integer" });
  assert.deepEqual(
    units.map(({ node, kind, nodes, isPinned }) => [node, kind, nodes.length, isPinned]),
    [
      ["Conv_c", "integer", 2, true],
      ["Conv_d", "integer", 1, true],
      ["Add_y", "integer", 1, true],
    ],
  );
});

for (const name of ["plain", "/starts/and/ends/", "a*b", "dots.and[brackets]/", "/a+(b)/"]) {
  Deno.test(`exactly() fits ${name} and nothing like it`, () => {
    assert.ok(matchesPattern(exactly(name), name));
    assert.ok(!matchesPattern(exactly(name), `${name}x`));
    assert.ok(!matchesPattern(exactly(name), name.replace("*", "xx").replace(".", "x") + " "));
  });
}
