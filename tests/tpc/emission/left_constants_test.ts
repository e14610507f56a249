/** A constant on the left of a MatMul is quantized like the activation that it meets. */
import assert from "node:assert/strict";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import type { Architecture } from "../../support/architectures.ts";
import { decibelsAtLevels } from "../../support/every_level.ts";
import { profileKernels } from "../../support/kernels.ts";
import { model, node, value } from "../../support/onnx.ts";
import { quantizeArchitecture, samplesFor } from "../../support/quantize_architecture.ts";
import { floats, gaussian } from "../../support/random.ts";

const random = gaussian(43);

for (const [left, input] of [[[6, 8], [1, 8, 5]], [[2, 6, 8], [1, 2, 8, 5]]]) {
  for (const preset of ["onnxruntime", "default", "tflite"]) {
    Deno.test(`[${left}] on the left of [${input}] is quantized for ${preset}`, async () => {
      const output = [...input.slice(0, -2), 6, 5];
      const architecture: Architecture = {
        input,
        model: model({
          nodes: [
            node("MatMul", ["m", "x"], ["a"]),
            node("Relu", ["a"], ["r"]),
            node("MatMul", ["r", "w"], ["y"]),
          ],
          inputs: [value("x", input)],
          outputs: [value("y", [...output.slice(0, -1), 4])],
          initializers: [
            makeTensor("m", left, floats(left.reduce((a, b) => a * b, 1), random)),
            makeTensor("w", [5, 4], floats(20, random)),
          ],
        }),
      };
      const { model: file, manifest } = await quantizeArchitecture(architecture, preset);
      assert.deepEqual(manifest.weights.map(({ tensor, input }) => [tensor, input]), [["m", 0], [
        "w",
        1,
      ]]);
      const feeds = samplesFor(architecture, 3).map(({ input: { data } }) => ({
        x: { data, dims: input },
      }));
      for (const [key, found] of await decibelsAtLevels(architecture.model, file, feeds)) {
        assert.ok(found > 28, `${key}: ${found} dB`);
      }
      const kernels = (await profileKernels(file, { x: input })).map(({ op }) => op);
      // x64 and wasm have no integer kernels for int8 on the left.
      if (preset !== "tflite") assert.ok(!kernels.includes("MatMul"), `${kernels}`);
    });
  }
}

Deno.test("weights on the left of a Gemm are quantized, alone in the network or not", async () => {
  const architecture: Architecture = {
    input: [1, 16, 3],
    model: model({
      nodes: [
        node("Reshape", ["x", "shape"], ["flat"]),
        node("Gemm", ["m", "flat", "c"], ["y"], { transA: 1, alpha: 0.5 }),
      ],
      inputs: [value("x", [1, 16, 3])],
      outputs: [value("y", [8, 3])],
      initializers: [
        makeTensor("shape", [2], BigInt64Array.of(16n, 3n)),
        makeTensor("m", [16, 8], floats(128, random)),
        makeTensor("c", [8, 1], floats(8, random)),
      ],
    }),
  };
  const { model: file, manifest } = await quantizeArchitecture(architecture, "onnxruntime");
  assert.deepEqual(manifest.weights.map(({ input }) => input), [0]);
  const feeds = samplesFor(architecture, 3).map(({ input: { data } }) => ({
    x: { data, dims: [1, 16, 3] },
  }));
  for (const [key, found] of await decibelsAtLevels(architecture.model, file, feeds)) {
    assert.ok(found > 34, `${key}: ${found} dB`);
  }
});
