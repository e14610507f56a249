/** What the rules of `onnxruntime` keep float, and what they leave alone. */
import assert from "node:assert/strict";
import type { NodeProto } from "../../../onnx/file/onnx_pb.ts";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import { parseTarget, presetTarget } from "../../../tpc/targets/read_target.ts";
import type { Target } from "../../../tpc/targets/target.ts";
import { model, node, value } from "../../support/onnx.ts";
import { scalar, weights } from "../../support/rewrite.ts";

const target = presetTarget("onnxruntime")!;
const RULES = {
  products: "product of two activations",
  sums: "sum in front of a normalization",
  logarithm: "in front of a logarithm",
  magnifies: "in front of what magnifies",
  divisor: "what is divided by",
};

/** Reasons by the tensor that a node makes, of a graph from x to y. */
function reasons(nodes: NodeProto[], by: Target = target, dims = [1, 8, 6, 6]) {
  const { graph } = model({
    nodes,
    inputs: [value("x", dims)],
    outputs: [value("y", ["a", "b", "c", "d"].slice(0, dims.length))],
    initializers: [
      weights("w", 8, 8, 3, 3),
      weights("m", 8, 8),
      weights("gain", dims.at(-1)!),
      scalar("epsilon", 1e-5),
      scalar("ten", 10),
      scalar("zero", 0),
    ],
  });
  const { float } = resolve(outlineGraph(graph), by);
  return new Map(float.map(({ node, reason }) => [node.split("_").slice(1).join("_"), reason]));
}
/** Tensors whose makers stay float by a rule. */
const keptBy = (rule: keyof typeof RULES, nodes: NodeProto[], by?: Target, dims?: number[]) =>
  [...reasons(nodes, by, dims)].filter(([, reason]) => reason.startsWith(`${RULES[rule]}: `))
    .map(([tensor]) => tensor);

const conv = (from: string, to: string) => node("Conv", [from, "w"], [to], { pads: [1, 1, 1, 1] });
const matMul = (from: string, to: string) => node("MatMul", [from, "m"], [to]);
const TOKENS = [2, 8, 8];
const attention = [
  matMul("x", "q"),
  matMul("x", "k"),
  node("MatMul", ["q", "k"], ["s"]),
  matMul("s", "y"),
];
const residual = [
  matMul("x", "a"),
  node("Add", ["x", "a"], ["sum"]),
  node("LayerNormalization", ["sum", "gain"], ["n"]),
  matMul("n", "y"),
];
/** Conv → clamp → Conv → square → Log. */
const spectrogram = [
  conv("x", "c0"),
  node("Relu", ["c0"], ["r"]),
  conv("r", "stft"),
  node("Mul", ["stft", "stft"], ["power"]),
  node("Add", ["power", "epsilon"], ["safe"]),
  node("Log", ["safe"], ["log"]),
  conv("log", "y"),
];
const division = [
  conv("x", "a"),
  conv("x", "b"),
  node("Relu", ["b"], ["r"]),
  node("Add", ["r", "ten"], ["divisor"]),
  node("Mul", ["a", "r"], ["dividend"]),
  node("Div", ["dividend", "divisor"], ["d"]),
  conv("d", "y"),
];

Deno.test("products of two activations stay float, products with weights don't", () => {
  assert.deepEqual(keptBy("products", attention, target, TOKENS), ["s"]);
  assert.deepEqual([...reasons(attention, target, TOKENS).keys()], ["s"]);
});

Deno.test("sums stay float that lead to a normalization, also by way of what moves elements", () => {
  assert.deepEqual(keptBy("sums", residual, target, TOKENS), ["sum"]);
  const moved = [
    ...residual.slice(0, 2),
    node("Transpose", ["sum"], ["t"], { perm: [1, 0, 2] }),
    node("LayerNormalization", ["t", "gain"], ["n"]),
    matMul("n", "y"),
  ];
  assert.deepEqual(keptBy("sums", moved, target, TOKENS), ["sum"]);
  const elsewhere = [...residual.slice(0, 2), matMul("sum", "y")];
  assert.deepEqual(keptBy("sums", elsewhere, target, TOKENS), []);
});

Deno.test("what leads to a logarithm stays float up to the layer that makes the spectrum", () => {
  // Behind the second convolution a clamp ends the way: before it there is a network.
  assert.deepEqual(keptBy("logarithm", spectrogram), ["stft", "power", "safe"]);
  assert.ok(!reasons(spectrogram).has("y"), "the network behind it stays on integers");
  // A clamp between the layer and the logarithm doesn't end it.
  const clamped = [
    conv("x", "stft"),
    node("Relu", ["stft"], ["r"]),
    node("Add", ["r", "epsilon"], ["safe"]),
    node("Log", ["safe"], ["log"]),
    conv("log", "y"),
  ];
  assert.deepEqual(keptBy("logarithm", clamped), ["stft", "r", "safe"]);
});

Deno.test("what leads to a function that magnifies stays float", () => {
  for (const op of ["Exp", "Sqrt", "Reciprocal"]) {
    const nodes = [
      conv("x", "a"),
      conv("x", "b"),
      node("Mul", ["a", "b"], ["p"]),
      node(op, ["p"], ["e"]),
      conv("e", "y"),
    ];
    assert.deepEqual(keptBy("magnifies", nodes), ["p"], op);
  }
});

Deno.test("what is divided by stays float, what is divided doesn't by that rule", () => {
  const kept = keptBy("divisor", division);
  assert.ok(kept.includes("divisor") && !kept.includes("dividend"), `${kept}`);
});

for (
  const [rule, nodes, dims] of [
    ["products", attention, TOKENS],
    ["sums", residual, TOKENS],
    ["logarithm", spectrogram, undefined],
    ["divisor", division, undefined],
  ] as const
) {
  Deno.test(`a target that extends onnxruntime can leave out the rule ${RULES[rule]}`, () => {
    const without = parseTarget({
      schemaVersion: 2,
      name: "mine",
      extends: "onnxruntime",
      without: [RULES[rule]],
    }, "mine.json");
    assert.ok(keptBy(rule, nodes, target, dims && [...dims]).length > 0);
    assert.deepEqual(keptBy(rule, nodes, without, dims && [...dims]), []);
  });
}
