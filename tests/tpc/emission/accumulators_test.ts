/** Sums of integer kernels are int32 and wrap without a word: steps leave room for them. */
import assert from "node:assert/strict";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import type { Architecture } from "../../support/architectures.ts";
import { decibelsAtLevels } from "../../support/every_level.ts";
import { model, node, value } from "../../support/onnx.ts";
import { withSmallLayers } from "../../support/small_layers.ts";
import { quantizeArchitecture, samplesFor } from "../../support/quantize_architecture.ts";
import { floats, gaussian } from "../../support/random.ts";

/** A layer whose first output channel has weights of 1e-5 and a bias of 1,000, and others as usual. */
function network(op: "Conv" | "depthwise" | "Gemm"): Architecture {
  const random = gaussian(5);
  const small = (size: number) => (w: number, i: number) => i < size ? w * 1e-5 : w;
  if (op === "Gemm") {
    return {
      input: [1, 24],
      model: model({
        nodes: [
          node("Gemm", ["x", "w", "b"], ["a"], { transB: 1 }),
          node("Relu", ["a"], ["r"]),
          node("Gemm", ["r", "v"], ["y"]),
        ],
        inputs: [value("x", ["N", 24])],
        outputs: [value("y", ["N", 5])],
        initializers: [
          makeTensor("w", [8, 24], floats(8 * 24, random).map(small(24))),
          makeTensor("b", [8], floats(8, random).map((b, i) => i === 0 ? 1000 : b)),
          makeTensor("v", [8, 5], floats(40, random)),
        ],
      }),
    };
  }
  const group = op === "Conv" ? 1 : 6;
  const inner = 6 / group * 9;
  return {
    input: [1, 6, 9, 9],
    model: model({
      nodes: [
        node("Conv", ["x", "w", "b"], ["a"], { group, pads: [0, 1, 2, 1] }),
        node("Relu", ["a"], ["r"]),
        node("Conv", ["r", "v"], ["y"]),
      ],
      inputs: [value("x", ["N", 6, 9, 9])],
      outputs: [value("y", ["N", 4, 9, 9])],
      initializers: [
        makeTensor("w", [6, 6 / group, 3, 3], floats(6 * inner, random).map(small(inner))),
        makeTensor("b", [6], floats(6, random).map((b, i) => i === 0 ? -1000 : b)),
        makeTensor("v", [4, 6, 1, 1], floats(24, random)),
      ],
    }),
  };
}

for (const op of ["Conv", "depthwise", "Gemm"] as const) {
  for (const preset of ["onnxruntime", "default", "tflite", "qnnpack"]) {
    Deno.test(`a bias beyond int32 leaves room for the products: ${op}, ${preset}`, async () => {
      const architecture = network(op);
      const { model: file, manifest } = await quantizeArchitecture(
        architecture,
        preset,
        withSmallLayers,
      );
      const [{ granularity, reason }] = manifest.weights;
      if (granularity === "channel") {
        assert.match(reason.join(), /1 steps widened so that sums with the bias fit into int32/);
      }
      const feeds = samplesFor(architecture, 4).map(({ input }) => ({
        x: { data: input.data, dims: architecture.input },
      }));
      const found = await decibelsAtLevels(architecture.model, file, feeds);
      const reference = found.get("disabled, onnxruntime-web, y")!;
      for (const [key, decibels] of found) {
        assert.ok(decibels > reference - 1, `${key}: ${decibels} dB for ${reference} dB unfused`);
      }
    });
  }
}
