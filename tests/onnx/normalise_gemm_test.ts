import assert from "node:assert/strict";
import { floatAttribute } from "../../onnx/graph/node.ts";
import { dimensions } from "../../onnx/file/tensor.ts";
import { model, node, value } from "../support/onnx.ts";
import { assertRewrite, weights } from "../support/rewrite.ts";

for (const transB of [0, 1]) {
  for (const bias of [[], [1], [3], [1, 3], undefined]) {
    for (const [alpha, beta] of [[1, 1], [0.7, 1.5]]) {
      Deno.test(`normaliseGemm(): transB ${transB}, bias [${bias}], alpha ${alpha}, beta ${beta}`, async () => {
        const after = await assertRewrite(
          model({
            nodes: [
              node("Gemm", ["x", "w", ...(bias ? ["c"] : [])], ["y"], { alpha, beta, transB }),
            ],
            inputs: [value("x", [2, 4])],
            outputs: [value("y", [2, 3])],
            initializers: [
              transB === 0 ? weights("w", 4, 3) : weights("w", 3, 4),
              ...(bias ? [weights("c", ...bias)] : []),
            ],
          }),
          ["Gemm"],
        );
        const [gemm] = after.graph.node;
        assert.equal(floatAttribute(gemm, "alpha", 1), 1);
        assert.equal(floatAttribute(gemm, "beta", 1), 1);
        const row = after.graph.initializer.find(({ name }) => name === gemm.input[2]);
        if (bias !== undefined) assert.deepEqual(dimensions(row!), [3]);
      });
    }
  }
}

Deno.test("normaliseGemm() leaves a bias of several rows and a transposed input alone", async () => {
  const before = model({
    nodes: [
      node("Gemm", ["x", "w", "c"], ["y"], { alpha: 0.5 }),
      node("Gemm", ["y", "w2"], ["z"], { alpha: 0.5, transA: 1 }),
    ],
    inputs: [value("x", [2, 4])],
    outputs: [value("z", [3, 3])],
    initializers: [weights("w", 4, 3), weights("c", 2, 3), weights("w2", 2, 3)],
  });
  const after = await assertRewrite(before, ["Gemm", "Gemm"]);
  assert.deepEqual(after.graph.node.map((gemm) => floatAttribute(gemm, "alpha", 1)), [0.5, 0.5]);
});
