/** What is no composite, and gets by its parts what docs/composites.md says. */
import assert from "node:assert/strict";
import type { NodeProto, TensorProto } from "../../../onnx/file/onnx_pb.ts";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { floats, gaussian } from "../../support/random.ts";
import { model, node, value } from "../../support/onnx.ts";
import { integers, scalar } from "../../support/rewrite.ts";

const normal = gaussian(3);
const weight = (name: string, ...dims: number[]) =>
  makeTensor(name, dims, floats(dims.reduce((a, b) => a * b, 1), normal));

/** Placement of a graph from x to y: what is float, and whose grid each activation has. */
function placed(
  nodes: NodeProto[],
  initializers: TensorProto[],
  { dims = [1, 8, 4, 4], target = "onnxruntime" } = {},
) {
  const { graph } = model({
    nodes,
    inputs: [value("x", dims)],
    outputs: [value("y", ["a", "b", "c", "d"].slice(0, dims.length))],
    initializers,
  });
  const { float, activations } = resolve(outlineGraph(graph), presetTarget(target)!);
  return {
    float: float.map(({ op }) => op),
    grids: new Map(activations.map(({ tensor, sameAs }) => [tensor, sameAs ?? tensor])),
  };
}

const conv = (input: string, output: string) =>
  node("Conv", [input, "w"], [output], { pads: [1, 1, 1, 1] });
const BETWEEN: Record<string, [NodeProto[], TensorProto[]]> = {
  "channel shuffle": [[
    node("Reshape", ["a", "split"], ["b"]),
    node("Transpose", ["b"], ["c"], { perm: [0, 2, 1, 3, 4] }),
    node("Reshape", ["c", "join"], ["d"]),
  ], [integers("split", [1, 2, 4, 4, 4]), integers("join", [1, 8, 4, 4])]],
  "space to depth and back by Reshape and Transpose": [[
    node("Reshape", ["a", "split"], ["b"]),
    node("Transpose", ["b"], ["c"], { perm: [0, 3, 5, 1, 2, 4] }),
    node("Reshape", ["c", "join"], ["d"]),
  ], [integers("split", [1, 8, 2, 2, 2, 2]), integers("join", [1, 8, 4, 4])]],
  "upsampling by Reshape, Tile and Reshape": [[
    node("Reshape", ["a", "split"], ["b"]),
    node("Tile", ["b", "twice"], ["c"]),
    node("Reshape", ["c", "join"], ["d"]),
  ], [
    integers("split", [1, 8, 4, 1, 4, 1]),
    integers("twice", [1, 1, 1, 2, 1, 2]),
    integers("join", [1, 8, 8, 8]),
  ]],
  "upsampling by Expand": [[
    node("Reshape", ["a", "split"], ["b"]),
    node("Expand", ["b", "wide"], ["c"]),
    node("Reshape", ["c", "join"], ["d"]),
  ], [
    integers("split", [1, 8, 4, 1, 4, 1]),
    integers("wide", [1, 8, 4, 2, 4, 2]),
    integers("join", [1, 8, 8, 8]),
  ]],
};
for (const [name, [nodes, constants]] of Object.entries(BETWEEN)) {
  for (const target of ["onnxruntime", "default"]) {
    Deno.test(`${target}: ${name} between layers keeps the grid of its input`, () => {
      const { float, grids } = placed([conv("x", "a"), ...nodes, conv("d", "y")], [
        weight("w", 8, 8, 3, 3),
        ...constants,
      ], { target });
      // MCT's platform lists no Tile: what it doesn't know stays float, on a grid of its own.
      if (name.includes("Tile") && target === "default") return assert.deepEqual(float, ["Tile"]);
      assert.deepEqual(float, []);
      assert.deepEqual([...grids].filter(([, grid]) => grid === "a").map(([tensor]) => tensor), [
        "a",
        ...nodes.map(({ output }) => output[0]),
      ]);
    });
  }
}

Deno.test("squeeze-and-excite is quantized but for its gate, which ONNX Runtime has no kernel for", () => {
  const { float, grids } = placed([
    conv("x", "a"),
    node("GlobalAveragePool", ["a"], ["p"]),
    conv("p", "q"),
    node("Relu", ["q"], ["r"]),
    conv("r", "s"),
    node("HardSigmoid", ["s"], ["g"], { alpha: 0.2, beta: 0.5 }),
    node("Mul", ["a", "g"], ["m"]),
    conv("m", "y"),
  ], [weight("w", 8, 8, 3, 3)]);
  assert.deepEqual(float, ["HardSigmoid"]);
  for (const tensor of ["x", "a", "p", "r", "g", "m"]) assert.ok(grids.has(tensor), tensor);
});

const linear = (input: string, output: string) => node("MatMul", [input, "w"], [output]);
const attention = (mask: NodeProto[], scores: string) => [
  ...["q", "k", "v"].map((name) => linear("x", name)),
  node("Transpose", ["k"], ["kt"], { perm: [0, 2, 1] }),
  node("MatMul", ["q", "kt"], ["s"]),
  node("Mul", ["s", "half"], ["scaled"]),
  ...mask,
  node("Softmax", [scores], ["p"]),
  node("MatMul", ["p", "v"], ["o"]),
  linear("o", "y"),
];
const constants = [
  weight("w", 8, 8),
  scalar("half", 0.5),
  makeTensor("mask", [4, 4], Float32Array.from({ length: 16 }, (_, i) => i % 4 > i / 4 ? -1e9 : 0)),
];
for (const isMasked of [false, true]) {
  const nodes = attention(
    isMasked ? [node("Add", ["scaled", "mask"], ["masked"])] : [],
    isMasked ? "masked" : "scaled",
  );
  const dims = [1, 4, 8];
  Deno.test(`onnxruntime: attention ${isMasked ? "with" : "without"} a mask is float between its layers`, () => {
    const { float, grids } = placed(nodes, constants, { dims });
    assert.deepEqual(float.filter((op) => op !== "Transpose"), [
      "MatMul",
      "Mul",
      ...isMasked ? ["Add"] : [],
      "Softmax",
      "MatMul",
    ]);
    // One quantizer for q, k and v, one for the layer behind.
    assert.deepEqual([...grids.keys()], ["x", "o"]);
  });
  Deno.test(`default: attention ${isMasked ? "with" : "without"} a mask is quantized but for the mask`, () => {
    const { float, grids } = placed(nodes, constants, { dims, target: "default" });
    assert.deepEqual(float, isMasked ? ["Add", "Softmax"] : []);
    assert.equal(grids.get("p") !== undefined, true);
  });
}

Deno.test("GroupNormalization is one unit where the shape is computed, as PyTorch writes it", () => {
  const { float } = placed([
    conv("x", "a"),
    node("Reshape", ["a", "groups"], ["b"]),
    node("InstanceNormalization", ["b", "ones", "zeros"], ["c"]),
    node("Shape", ["a"], ["shape"]),
    node("Reshape", ["c", "shape"], ["d"]),
    node("Mul", ["d", "gain"], ["e"]),
    node("Add", ["e", "gain"], ["f"]),
    conv("f", "y"),
  ], [
    weight("w", 8, 8, 3, 3),
    weight("gain", 8, 1, 1),
    integers("groups", [0, 2, -1]),
    makeTensor("ones", [2], Float32Array.of(1, 1)),
    makeTensor("zeros", [2], new Float32Array(2)),
  ]);
  assert.deepEqual(float, ["Reshape", "InstanceNormalization", "Reshape", "Mul", "Add"]);
});
