/** Tensors so small that their step would be no normal number. */
import assert from "node:assert/strict";
import { LEAST_STEP } from "../../../core/grid.ts";
import { CONSTRAINTS, ERROR_METHODS } from "../../../core/types.ts";
import { PlimsollError } from "../../../core/errors.ts";
import { quantize } from "../../../pipeline/quantize/quantize.ts";
import { searchThreshold } from "../../../pipeline/search/search_threshold.ts";
import { readModel } from "../../../onnx/file/model.ts";
import { floatData } from "../../../onnx/file/tensor.ts";
import { writeModel } from "../../../onnx/file/model.ts";
import { observe } from "../../support/observe.ts";
import { model, node, value } from "../../support/onnx.ts";
import { weights } from "../../support/rewrite.ts";

const TINY = {
  "subnormal": Float32Array.of(1e-45, 3e-45, 1e-40),
  "subnormal and negative": Float32Array.of(-1e-45, -1e-45, -1e-44),
  "on both sides": Float32Array.of(-1e-45, 1e-45, 0),
  "zeros": new Float32Array(4),
  "least normal": Float32Array.of(2 ** -126, -(2 ** -126)),
};

Deno.test("every method and constraint gives a scale that is a normal float32", () => {
  for (const [name, values] of Object.entries(TINY)) {
    const data = observe(values);
    for (const constraint of CONSTRAINTS) {
      for (const error of ERROR_METHODS) {
        for (const bits of [2, 8, 16]) {
          const spec = { bits, constraint, signed: "auto", error } as const;
          const { levels } = searchThreshold(data, spec);
          const what = `${name}, ${constraint}, ${error}, ${bits} bits: ${JSON.stringify(levels)}`;
          assert.ok(levels.step >= LEAST_STEP && Math.fround(levels.step) === levels.step, what);
          assert.ok(levels.low <= 0 && levels.high >= 0 && levels.high > levels.low, what);
        }
      }
    }
  }
});

Deno.test("no scale of a model is zero or subnormal, that of a bias neither", async () => {
  const float = writeModel(model({
    inputs: [value("x", ["N", 4])],
    outputs: [value("y", ["N", 4])],
    initializers: [weights("w", 4, 4), weights("b", 4), weights("w2", 4, 4)],
    nodes: [
      node("Gemm", ["x", "w", "b"], ["m"]),
      node("Relu", ["m"], ["r"]),
      node("MatMul", ["r", "w2"], ["y"]),
    ],
  }));
  for (const [name, values] of Object.entries(TINY)) {
    const samples = [0, 1].map(() => ({
      input: {
        data: Float32Array.from({ length: 4 }, (_, i) => values[i % values.length]),
        dims: [4],
      },
    }));
    for (const recipe of [{ error: "kl" as const }, { target: "tflite" }, { target: "default" }]) {
      try {
        const { model: file } = await quantize(float, samples, {
          target: "onnxruntime",
          ...recipe,
        });
        for (const tensor of readModel(file, "m").graph.initializer) {
          if (!tensor.name.endsWith("/scale")) continue;
          const odd = floatData(tensor)?.find((scale) => !(scale >= LEAST_STEP));
          assert.equal(odd, undefined, `${name}: ${tensor.name} of ${JSON.stringify(recipe)}`);
        }
      } catch (error) {
        assert.ok(error instanceof PlimsollError, `${name}: ${(error as Error).stack}`);
      }
    }
  }
});
