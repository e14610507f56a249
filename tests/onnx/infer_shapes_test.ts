import assert from "node:assert/strict";
import type { NodeProto, TensorProto } from "../../onnx/file/onnx_pb.ts";
import { indexGraph } from "../../onnx/graph/graph_index.ts";
import { inferShapes } from "../../onnx/operators/infer_shapes.ts";
import { withAttributes } from "../../onnx/graph/node.ts";
import { model, node, value } from "../support/onnx.ts";
import { integers, randomFeeds, weights } from "../support/rewrite.ts";
import { runModel } from "../support/run_model.ts";

const X = ["N", 6, 8, 8];
/** Graphs from x to z with what is known of z; undefined dimensions are null. */
const CASES: [string, NodeProto[], (number | null)[], TensorProto[]?][] = [
  ["Relu", [node("Relu", ["x"], ["z"])], [null, 6, 8, 8]],
  ["Conv", [node("Conv", ["x", "w"], ["z"], { group: 2 })], [null, 4, 8, 8], [
    weights("w", 4, 3, 1, 1),
  ]],
  [
    "Conv with steps, dilations and uneven padding",
    [node("Conv", ["x", "w"], ["z"], { strides: [2, 1], dilations: [1, 2], pads: [1, 0, 0, 3] })],
    [null, 4, 4, 7],
    [weights("w", 4, 6, 3, 3)],
  ],
  [
    "Conv with auto_pad",
    [
      withAttributes(node("Conv", ["x", "w"], ["z"], { strides: [3, 3] }), {
        auto_pad: "SAME_UPPER",
      }),
    ],
    [null, 4, 3, 3],
    [weights("w", 4, 6, 3, 3)],
  ],
  ["AveragePool with steps", [
    node("AveragePool", ["x"], ["z"], { kernel_shape: [3, 3], strides: [2, 2] }),
  ], [null, 6, 3, 3]],
  ["MaxPool that rounds up", [
    node("MaxPool", ["x"], ["z"], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  ], [null, 6, null, null]],
  ["ConvTranspose", [node("ConvTranspose", ["x", "w"], ["z"], { group: 2 })], [
    ...[null, 10, null, null],
  ], [weights("w", 6, 5, 1, 1)]],
  ["MaxPool", [node("MaxPool", ["x"], ["z"], { kernel_shape: [2, 2] })], [null, 6, 7, 7]],
  ["GlobalAveragePool", [node("GlobalAveragePool", ["x"], ["z"])], [null, 6, 1, 1]],
  ["Flatten", [node("Flatten", ["x"], ["z"])], [null, 384]],
  ["Flatten axis 0", [node("Flatten", ["x"], ["z"], { axis: 0 })], [1, null]],
  ["Gemm", [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w"], ["z"], { transB: 1 })], [
    ...[null, 5],
  ], [weights("w", 5, 384)]],
  ["MatMul", [node("MatMul", ["x", "w"], ["z"])], [null, 6, 8, 3], [weights("w", 8, 3)]],
  ["MatMul with batches", [node("MatMul", ["x", "w"], ["z"])], [null, 6, 8, 3], [
    weights("w", 6, 8, 3),
  ]],
  ["broadcasting", [node("Add", ["x", "w"], ["z"])], [2, null, 6, 8, 8], [
    weights("w", 2, 1, 6, 1, 1),
  ]],
  ["Transpose", [node("Transpose", ["x"], ["z"], { perm: [1, 0, 3, 2] })], [6, null, 8, 8]],
  ["Unsqueeze", [node("Unsqueeze", ["x", "a"], ["z"])], [1, null, 6, 8, 8, 1], [
    integers("a", [0, -1]),
  ]],
  ["Squeeze", [node("GlobalAveragePool", ["x"], ["g"]), node("Squeeze", ["g", "a"], ["z"])], [
    ...[null, 6],
  ], [integers("a", [2, -1])]],
  ["Concat", [node("Concat", ["x", "x"], ["z"], { axis: -3 })], [null, 12, 8, 8]],
  ["ReduceMean", [node("ReduceMean", ["x"], ["z"], { axes: [-1, 1] })], [null, 1, 8, 1]],
  ["ReduceMean that drops axes", [
    node("ReduceMean", ["x"], ["z"], { axes: [2, 3], keepdims: 0 }),
  ], [null, 6]],
  ["Reshape to a constant shape", [node("Reshape", ["x", "a"], ["z"])], [null, null, 8], [
    integers("a", [0, -1, 8]),
  ]],
  [
    "Reshape to a computed shape: the rank",
    [
      node("Shape", ["x"], ["s"]),
      node("Slice", ["s", "begin", "end"], ["n"]),
      node("Gather", ["s", "which"], ["c"]),
      node("Unsqueeze", ["c", "begin"], ["cu"]),
      node("Concat", ["n", "cu", "rest"], ["shape"], { axis: 0 }),
      node("Reshape", ["x", "shape"], ["z"]),
    ],
    [null, null, null],
    [
      ...[integers("begin", [0]), integers("end", [1]), integers("rest", [-1])],
      { ...integers("which", [1]), dims: [] } as TensorProto,
    ],
  ],
];
for (const [name, nodes, expected, initializers] of CASES) {
  Deno.test(`inferShapes() finds what is known behind ${name}, and the runtime agrees`, async () => {
    const info = value("z", []);
    const made = model({ nodes, inputs: [value("x", X)], outputs: [info], initializers });
    if (info.type?.value.case === "tensorType") info.type.value.value.shape = undefined;
    const found = inferShapes(made.graph, indexGraph(made.graph)).get("z");
    assert.deepEqual(found?.map((dim) => dim ?? null), expected);
    const { dims } = (await runModel(made, randomFeeds(made))).get("z")!;
    assert.equal(dims.length, expected.length);
    dims.forEach((dim, axis) => assert.ok(expected[axis] === null || expected[axis] === dim));
  });
}

Deno.test("inferShapes() takes empty, zero and negative dimensions for unknown", () => {
  const made = model({
    nodes: [node("Relu", ["x"], ["y"]), node("Relu", ["v"], ["z"])],
    inputs: [value("x", [-1, 3, 0]), value("v", [])],
    outputs: [value("z", [])],
  });
  const shapes = inferShapes(made.graph, indexGraph(made.graph));
  assert.deepEqual(shapes.get("y"), [undefined, 3, undefined]);
  assert.equal(shapes.get("z"), undefined);
});
