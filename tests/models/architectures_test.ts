/**
 * Networks of every shape through every preset: they quantize, load, run, stay close to float, and what can run
 * on integers does, read from the profiler.
 */
import assert from "node:assert/strict";
import { readModel } from "../../onnx/file/model.ts";
import { TARGET_NAMES } from "../../tpc/targets/read_target.ts";
import { type Architecture, ARCHITECTURES } from "../support/architectures.ts";
import { profileKernels } from "../support/kernels.ts";
import { quantizeArchitecture, samplesFor, sqnr } from "../support/quantize_architecture.ts";
import { runModel } from "../support/run_model.ts";
import { withAllOnIntegers } from "../support/small_layers.ts";
import type { Target } from "../../tpc/targets/target.ts";

/** Operators that have no integer kernel in ONNX Runtime, by architecture: nothing else may stay float. */
const FLOAT_KERNELS: Readonly<Record<string, readonly string[]>> = {
  "hard swish written out": ["Add", "Clip", "Mul", "Div"],
  // MatMulIntegerToFloat leaves its bias to a float Add.
  "transformer block": ["LayerNormalization", "Add", "Div", "Erf", "Mul"],
  // The Max is its guard.
  "U-Net with ConvTranspose and Resize": ["ConvTranspose", "Max"],
};
/** Operators that move or pick codes, or stand between codes and floats. */
const NEUTRAL = new Set([
  ...["QuantizeLinear", "DequantizeLinear", "Transpose", "Reshape", "Flatten", "Resize"],
  ...["MaxPool", "NhwcMaxPool"],
]);
/** The integer kernels. */
const INTEGER = /^(QLinear\w+|QGemm|MatMulIntegerToFloat)$/;

async function quantizeFor(
  architecture: Architecture,
  name: string,
  preset: string,
  change: (target: Target) => Target = (target) => target,
) {
  const { model: file, manifest } = await quantizeArchitecture(architecture, preset, change);
  const [{ input: { data } }] = samplesFor(architecture, 1);
  const feeds = { x: { data, dims: architecture.input } };
  const reference = (await runModel(architecture.model, feeds)).get("y")!.data;
  const found = (await runModel(readModel(file, name), feeds)).get("y")!.data;
  return { file, manifest, distance: sqnr(reference, found) };
}

/** Least output SQNR in dB that a sound quantization of these random networks reaches; measured, less a margin. */
const LEAST_SQNR: Readonly<Record<string, number>> = { qnnpack: 18, "onnxruntime-reduced": 24 };

for (const [name, make] of Object.entries(ARCHITECTURES)) {
  for (const preset of TARGET_NAMES) {
    Deno.test(`${name} is quantized for ${preset}, runs, and stays close to float`, async () => {
      const { distance, manifest } = await quantizeFor(make(), name, preset);
      const least = LEAST_SQNR[preset] ?? 22;
      assert.ok(distance > least, `${distance.toFixed(1)} dB`);
      for (const { reason } of manifest.float) assert.ok(reason.length > 0);
    });
  }

  for (const preset of ["onnxruntime", "onnxruntime-reduced"]) {
    Deno.test(`${name} for ${preset}: every operator with an integer kernel runs on it`, async () => {
      const architecture = make();
      const { file } = await quantizeFor(architecture, name, preset, withAllOnIntegers);
      const kernels = await profileKernels(file, { x: [...architecture.input] });
      const float = kernels.filter(({ op }) => !NEUTRAL.has(op) && !INTEGER.test(op));
      const allowed = FLOAT_KERNELS[name] ?? [];
      assert.deepEqual(float.filter(({ op }) => !allowed.includes(op)), []);
      const layers = architecture.model.graph.node.filter(({ opType }) =>
        ["Conv", "Gemm", "MatMul"].includes(opType)
      ).length;
      const integer = kernels.filter(({ op }) =>
        /^(QLinearConv|QGemm|QLinearMatMul|MatMulIntegerToFloat)$/.test(op)
      ).length;
      assert.equal(
        integer,
        layers,
        kernels.map(({ op }) =>
          op
        ).join(" "),
      );
    });
  }
}
