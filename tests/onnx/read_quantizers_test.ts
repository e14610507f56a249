/** Quantizers read out of models are those that were put in. */
import assert from "node:assert/strict";
import { quantize } from "../../pipeline/quantize/quantize.ts";
import { readModel } from "../../onnx/file/model.ts";
import { readQuantizers } from "../../onnx/quantized/read_quantizers.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { addOverrides, presetTarget } from "../../tpc/targets/read_target.ts";
import { demoModel, demoSamples } from "../support/demo.ts";
import { model, node, value } from "../support/onnx.ts";

const float = await demoModel();
const CASES: [string, string, unknown[]][] = [
  ["default", "default", []],
  ["onnxruntime", "onnxruntime", []],
  ["tflite", "tflite", []],
  ["3 bits beside 8", "default", [
    { match: { operator: "Add" }, activation: { bits: 3 } },
    { match: { operator: "Gemm" }, weight: { bits: 4 } },
  ]],
  ["16 bits beside 8", "onnxruntime", [{ match: { operator: "Add" }, activation: { bits: 16 } }]],
];

for (const [name, preset, overrides] of CASES) {
  Deno.test(`readQuantizers() finds every quantizer of the manifest: ${name}`, async () => {
    const target = addOverrides(presetTarget(preset)!, overrides);
    const { model: file, manifest } = await quantize(float, await demoSamples(4), { target });
    const { activations, constants } = readQuantizers(readModel(file, "the quantized model"));
    assert.deepEqual(
      activations.map(({ tensor, type, codes, scales, zeroPoints, producer }) => ({
        ...{ tensor, type, codes, scales, zeroPoints },
        isInput: producer === null,
      })),
      manifest.activations.map((entry) => ({
        tensor: entry.tensor,
        type: entry.storage,
        codes: [entry.quantizedMin, entry.quantizedMax],
        scales: [entry.scale],
        zeroPoints: [entry.zeroPoint],
        isInput: entry.producer === null,
      })),
    );
    for (const [i, { bits }] of activations.entries()) {
      const entry = manifest.activations[i];
      // A clamp may leave fewer codes than the bits allow.
      const needed = Math.ceil(Math.log2(entry.quantizedMax - entry.quantizedMin + 1));
      assert.equal(bits, needed, entry.tensor);
    }
    const weights = constants.filter(({ type }) => type !== "int32");
    assert.deepEqual(
      weights.map(({ tensor, node, type, scales }) => ({ tensor, node, type, scales })),
      manifest.weights.map(({ tensor, node, storage, steps }) => ({
        ...{ tensor, node, type: storage },
        scales: Array.from(Float32Array.from(steps!.scales)),
      })),
    );
    for (const [i, { bits }] of weights.entries()) {
      assert.ok(bits <= manifest.weights[i].bits, weights[i].tensor);
      assert.ok(bits >= manifest.weights[i].bits - 1, `${weights[i].tensor}: ${bits} bits`);
    }
  });
}

Deno.test("readQuantizers() reads models of ONNX Runtime's tools, by the names that tensors had", () => {
  const scalar = (name: string, x: number) => makeTensor(name, [], Float32Array.of(x));
  const zero = (name: string, x: number) => makeTensor(name, [], Uint8Array.of(x));
  const { activations, constants } = readQuantizers(model({
    nodes: [
      node("QuantizeLinear", ["x", "x_scale", "x_zero_point"], ["x_QuantizeLinear_Output"]),
      node("DequantizeLinear", ["x_QuantizeLinear_Output", "x_scale", "x_zero_point"], [
        "x_DequantizeLinear_Output",
      ]),
      node("DequantizeLinear", ["w_quantized", "w_scale", "w_zero_point"], [
        "w_DequantizeLinear_Output",
      ], { axis: 1 }),
      node("MatMul", ["x_DequantizeLinear_Output", "w_DequantizeLinear_Output"], ["y"]),
      node("QuantizeLinear", ["y", "y_scale", "y_zero_point"], ["y_QuantizeLinear_Output"]),
      node("DequantizeLinear", ["y_QuantizeLinear_Output", "y_scale", "y_zero_point"], ["z"]),
    ],
    inputs: [value("x", ["N", 2])],
    outputs: [value("z", ["N", 2])],
    initializers: [
      ...[scalar("x_scale", 0.5), scalar("y_scale", 0.25)],
      ...[zero("x_zero_point", 128), zero("y_zero_point", 0)],
      makeTensor("w_quantized", [2, 2], Int8Array.of(1, -7, 7, 3)),
      makeTensor("w_scale", [2], Float32Array.of(1, 2)),
      makeTensor("w_zero_point", [2], Int8Array.of(0, 0)),
    ],
  }));
  assert.deepEqual(
    activations.map(({ tensor, range, signed, bits }) => ({ tensor, range, signed, bits })),
    [
      { tensor: "x", range: [-64, 63.5], signed: true, bits: 8 },
      { tensor: "y", range: [0, 63.75], signed: false, bits: 8 },
    ],
  );
  const [{ tensor, bits, axis, scales, op }] = constants;
  assert.deepEqual({ tensor, bits, axis, scales, op }, {
    ...{ tensor: "w", bits: 4, axis: 1, scales: [1, 2], op: "MatMul" },
  });
});
