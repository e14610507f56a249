/** Vectors under the kernel: weights times them are what the runtime's layer gives. */
import assert from "node:assert/strict";
import { layerPatches } from "../../../pipeline/rounding/patches.ts";
import { layerFinder } from "../../../pipeline/search/layer_finder.ts";
import { elementCount, makeTensor } from "../../../onnx/file/tensor.ts";
import { model, node, value } from "../../support/onnx.ts";
import { gaussian } from "../../support/random.ts";
import { runModel } from "../../support/run_model.ts";

const CASES: readonly {
  readonly name: string;
  readonly op: string;
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly attributes?: Record<string, number | number[]>;
}[] = [
  { name: "pointwise", op: "Conv", input: [1, 6, 5, 4], weight: [3, 6, 1, 1] },
  {
    ...{ name: "3 × 3 with padding", op: "Conv", input: [1, 2, 6, 7], weight: [4, 2, 3, 3] },
    attributes: { pads: [1, 1, 1, 1] },
  },
  {
    ...{ name: "strides, dilations, uneven padding", op: "Conv", input: [1, 3, 9, 11] },
    weight: [2, 3, 3, 2],
    attributes: { strides: [2, 3], dilations: [2, 1], pads: [2, 0, 1, 1] },
  },
  {
    ...{ name: "depthwise", op: "Conv", input: [1, 5, 6, 6], weight: [5, 1, 3, 3] },
    attributes: { group: 5, pads: [1, 1, 1, 1] },
  },
  {
    ...{ name: "groups", op: "Conv", input: [1, 4, 5, 5], weight: [6, 2, 3, 3] },
    attributes: { group: 2 },
  },
  { name: "one dimension", op: "Conv", input: [1, 2, 12], weight: [3, 2, 5] },
  {
    ...{ name: "Gemm, transposed", op: "Gemm", input: [1, 7], weight: [4, 7] },
    attributes: { transB: 1 },
  },
  { name: "Gemm", op: "Gemm", input: [1, 7], weight: [7, 4] },
  { name: "Gemm, square", op: "Gemm", input: [1, 5], weight: [5, 5] },
  { name: "MatMul of a stack", op: "MatMul", input: [1, 3, 7], weight: [7, 4] },
];

for (const { name, op, input, weight, attributes = {} } of CASES) {
  Deno.test(`patches times weights are the layer's outputs: ${name}`, async () => {
    const normal = gaussian(7);
    const draw = (dims: readonly number[]) =>
      Float32Array.from({ length: elementCount(dims) }, () => normal());
    const [x, w] = [draw(input), draw(weight)];
    const made = model({
      nodes: [node(op, ["x", "w"], ["y"], attributes)],
      inputs: [value("x", [...input])],
      outputs: [value("y", input.map((_, i) => `d${i}`))],
      initializers: [makeTensor("w", [...weight], w)],
    });
    const layer = layerFinder(made)({ node: made.graph.node[0].name || "y", input: 1 })!;
    const { shape, read } = layerPatches(layer)!;
    const outputs = await runModel(made, { x: { data: x, dims: input } });
    const y = outputs.get("y")!;
    const vectors = read({ data: x, dims: input }, 1e9);
    const positions = vectors[0].length / shape.size;
    assert.equal(positions * shape.rows * shape.groups, y.data.length);
    for (let row = 0; row < shape.rows * shape.groups; row++) {
      const patches = vectors[Math.floor(row / shape.rows)];
      for (let position = 0; position < positions; position++) {
        let sum = 0;
        for (let k = 0; k < shape.size; k++) {
          sum += w[shape.place(row, k)] * patches[position * shape.size + k];
        }
        const at = op === "Conv" ? row * positions + position : position * shape.rows + row;
        assert.ok(Math.abs(sum - y.data[at]) < 1e-4, `row ${row}, position ${position}`);
      }
    }
    // A few of many: the same for every sample, each one of them all.
    const few = read({ data: x, dims: input }, 2)[0];
    assert.equal(few.length, Math.min(2, positions) * shape.size);
  });
}
