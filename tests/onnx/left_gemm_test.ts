/** Gemm with its weights on the left gives the same numbers as a MatMul and an Add. */
import assert from "node:assert/strict";
import { dimensions } from "../../onnx/file/tensor.ts";
import { model, node, value } from "../support/onnx.ts";
import { assertRewrite, weights } from "../support/rewrite.ts";

for (const transA of [0, 1]) {
  for (const transB of [0, 1]) {
    for (const [alpha, beta] of [[1, 1], [0.7, 1.5], [2, 0]]) {
      Deno.test(`productsOfLeftGemms(): transA ${transA}, transB ${transB}, alpha ${alpha}, beta ${beta}`, async () => {
        const after = await assertRewrite(
          model({
            nodes: [node("Gemm", ["w", "x", "c"], ["y"], { alpha, beta, transA, transB })],
            inputs: [value("x", transB === 0 ? [4, 2] : [2, 4])],
            outputs: [value("y", [3, 2])],
            initializers: [
              transA === 0 ? weights("w", 3, 4) : weights("w", 4, 3),
              weights("c", 3, 1),
            ],
          }),
          [
            ...transB === 0 ? [] : ["Transpose"],
            "MatMul",
            ...beta === 0 ? [] : ["Add"],
          ],
          { tolerance: 1e-5 },
        );
        const product = after.graph.node.find(({ opType }) => opType === "MatMul")!;
        const left = after.graph.initializer.find(({ name }) => name === product.input[0])!;
        assert.deepEqual(dimensions(left), [3, 4]);
      });
    }
  }
}

Deno.test("productsOfLeftGemms() leaves one whose addend is computed and scaled", async () => {
  await assertRewrite(
    model({
      nodes: [node("Relu", ["x"], ["r"]), node("Gemm", ["w", "x", "r"], ["y"], { beta: 0.5 })],
      inputs: [value("x", [4, 4])],
      outputs: [value("y", [4, 4])],
      initializers: [weights("w", 4, 4)],
    }),
    ["Relu", "Gemm"],
  );
});
