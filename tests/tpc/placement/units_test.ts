/** Composites as PyTorch, TensorFlow and Keras exporters write them, and what must not be taken for one. */
import assert from "node:assert/strict";
import type { NodeProto, TensorProto } from "../../../onnx/file/onnx_pb.ts";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { GraphView } from "../../../tpc/placement/graph_view.ts";
import { nameOf, unitsOf } from "../../../tpc/placement/units.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { model, node, value } from "../../support/onnx.ts";

const target = {
  ...presetTarget("default")!,
  operatorSets: [{
    name: "all",
    use: "quantized" as const,
    operators: [
      ...["Silu", "HardSwish", "HardSigmoid", "Gelu", "LeakyRelu", "Mish", "AddBias"],
      ...["LayerNormalization", "RMSNormalization"],
    ],
  }],
};

const numbers: [string, number][] = [
  ["half", 0.5],
  ["one", 1],
  ["two", 2],
  ["three", 3],
  ["six", 6],
  ["zero", 0],
  ["sixth", Math.fround(1 / 6)],
  ["root2", Math.fround(Math.SQRT2)],
  ["root_half", Math.fround(Math.SQRT1_2)],
  ["cubic", Math.fround(0.044715)],
  ["root_pi", Math.fround(Math.sqrt(2 / Math.PI))],
  ["tenth", Math.fround(0.1)],
  ["epsilon", Math.fround(1e-5)],
  ["quick", Math.fround(1.702)],
];

/** Units of a graph whose nodes lead from x to y. */
function units(nodes: NodeProto[], outputs = ["y"], more: TensorProto[] = []) {
  const { graph } = model({
    nodes,
    inputs: [value("x", ["N", 4])],
    outputs: outputs.map((name) => value(name, ["N", 4])),
    initializers: [
      ...numbers.map(([name, x]) => makeTensor(name, [], Float32Array.of(x))),
      makeTensor("row", [4], Float32Array.of(1, 2, 3, 4)),
      makeTensor("axis", [1], BigInt64Array.of(-1n)),
      ...more,
    ],
  });
  return unitsOf(new GraphView(outlineGraph(graph)), target).map((unit) => [unit.op, nameOf(unit)]);
}

const gate = (name = "g") => [
  node("Add", ["x", "three"], ["a"]),
  node("Clip", ["a", "zero", "six"], [name]),
];

const FORMS: Record<string, [string, NodeProto[]]> = {
  "SiLU of PyTorch": ["Silu", [
    node("Sigmoid", ["x"], ["s"]),
    node("Mul", ["x", "s"], ["y"]),
  ]],
  "swish of Keras, the other way round": ["Silu", [
    node("Sigmoid", ["x"], ["s"]),
    node("Mul", ["s", "x"], ["y"]),
  ]],
  "HardSwish of PyTorch below opset 14": ["HardSwish", [
    ...gate(),
    node("Mul", ["x", "g"], ["m"]),
    node("Div", ["m", "six"], ["y"]),
  ]],
  "HardSwish of Keras": ["HardSwish", [
    ...gate(),
    node("Mul", ["g", "sixth"], ["m"]),
    node("Mul", ["x", "m"], ["y"]),
  ]],
  "HardSwish by HardSigmoid": ["HardSwish", [
    node("HardSigmoid", ["x"], ["h"], { alpha: Math.fround(1 / 6), beta: 0.5 }),
    node("Mul", ["x", "h"], ["y"]),
  ]],
  "HardSigmoid of Keras": ["HardSigmoid", [...gate(), node("Mul", ["g", "sixth"], ["y"])]],
  "GELU of PyTorch": ["Gelu", [
    node("Div", ["x", "root2"], ["d"]),
    node("Erf", ["d"], ["e"]),
    node("Add", ["e", "one"], ["p"]),
    node("Mul", ["x", "p"], ["m"]),
    node("Mul", ["m", "half"], ["y"]),
  ]],
  "GELU of Keras": ["Gelu", [
    node("Mul", ["x", "root_half"], ["d"]),
    node("Erf", ["d"], ["e"]),
    node("Add", ["one", "e"], ["p"]),
    node("Mul", ["half", "x"], ["h"]),
    node("Mul", ["h", "p"], ["y"]),
  ]],
  "GELU by tanh": ["Gelu", [
    node("Pow", ["x", "three"], ["c"]),
    node("Mul", ["cubic", "c"], ["k"]),
    node("Add", ["x", "k"], ["i"]),
    node("Mul", ["root_pi", "i"], ["r"]),
    node("Tanh", ["r"], ["t"]),
    node("Add", ["one", "t"], ["p"]),
    node("Mul", ["half", "x"], ["h"]),
    node("Mul", ["h", "p"], ["y"]),
  ]],
  "quick GELU of CLIP": ["Gelu", [
    node("Mul", ["x", "quick"], ["q"]),
    node("Sigmoid", ["q"], ["s"]),
    node("Mul", ["x", "s"], ["y"]),
  ]],
  "LeakyRelu of TensorFlow": ["LeakyRelu", [
    node("Mul", ["x", "tenth"], ["m"]),
    node("Max", ["m", "x"], ["y"]),
  ]],
  Mish: ["Mish", [
    node("Softplus", ["x"], ["s"]),
    node("Tanh", ["s"], ["t"]),
    node("Mul", ["x", "t"], ["y"]),
  ]],
  "LayerNormalization of PyTorch": ["LayerNormalization", [
    node("ReduceMean", ["x", "axis"], ["mean"]),
    node("Sub", ["x", "mean"], ["d"]),
    node("Pow", ["d", "two"], ["q"]),
    node("ReduceMean", ["q", "axis"], ["v"]),
    node("Add", ["v", "epsilon"], ["ve"]),
    node("Sqrt", ["ve"], ["s"]),
    node("Div", ["d", "s"], ["n"]),
    node("Mul", ["n", "row"], ["m"]),
    node("Add", ["m", "row"], ["y"]),
  ]],
  "RMSNorm of transformers": ["RMSNormalization", [
    node("Pow", ["x", "two"], ["q"]),
    node("ReduceMean", ["q", "axis"], ["v"]),
    node("Add", ["v", "epsilon"], ["ve"]),
    node("Sqrt", ["ve"], ["s"]),
    node("Reciprocal", ["s"], ["r"]),
    node("Mul", ["x", "r"], ["n"]),
    node("Mul", ["row", "n"], ["y"]),
  ]],
};

for (const [name, [op, nodes]] of Object.entries(FORMS)) {
  Deno.test(`unitsOf() sees one ${op} in ${name}`, () => {
    assert.deepEqual(units(nodes), [[op, nodes.at(-1)!.name]]);
  });
}

Deno.test("unitsOf() takes no composite whose inside is read elsewhere or is an output", () => {
  const nodes = [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])];
  assert.deepEqual(units(nodes, ["y", "s"]).map(([op]) => op), ["Sigmoid", "Mul"]);
  const more = [...nodes, node("Neg", ["s"], ["z"])];
  assert.deepEqual(units(more, ["y", "z"]).map(([op]) => op), ["Sigmoid", "Mul", "Neg"]);
});

Deno.test("unitsOf() takes a constant sum for a bias behind MatMul only", () => {
  const matrix = makeTensor("m", [4, 4], new Float32Array(16).fill(1));
  const bias = [node("MatMul", ["x", "m"], ["h"]), node("Add", ["row", "h"], ["y"])];
  assert.deepEqual(units(bias, ["y"], [matrix]).map(([op]) => op), ["MatMul", "AddBias"]);
  assert.deepEqual(units([node("Add", ["row", "x"], ["y"])]).map(([op]) => op), ["Add"]);
});

Deno.test("unitsOf() takes no composite with another constant or another input", () => {
  const wrong = [
    node("HardSigmoid", ["x"], ["h"], { alpha: Math.fround(0.2), beta: 0.5 }),
    node("Mul", ["x", "h"], ["y"]),
  ];
  assert.deepEqual(units(wrong).map(([op]) => op), ["HardSigmoid", "Mul"]);
  const other = [
    node("Neg", ["x"], ["n"]),
    node("Sigmoid", ["n"], ["s"]),
    node("Mul", ["x", "s"], ["y"]),
  ];
  assert.deepEqual(units(other).map(([op]) => op), ["Neg", "Sigmoid", "Mul"]);
});

Deno.test("unitsOf() keeps nodes single where the target names no composite", () => {
  const { graph } = model({
    nodes: FORMS["SiLU of PyTorch"][1],
    inputs: [value("x", ["N", 4])],
    outputs: [value("y", ["N", 4])],
  });
  const plain = {
    ...target,
    operatorSets: [{ ...target.operatorSets[0], operators: ["Mul"] }],
    fusing: [],
  };
  const view = new GraphView(outlineGraph(graph));
  assert.deepEqual(unitsOf(view, plain).map(({ op }) => op), ["Sigmoid", "Mul"]);
});
