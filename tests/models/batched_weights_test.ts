/** Weights of MatMul that are vectors or batches of matrices: what is written runs, at every level. */
import assert from "node:assert/strict";
import { type Model, withFields } from "../../onnx/file/model.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import type { Architecture } from "../support/architectures.ts";
import { decibelsAtLevels } from "../support/every_level.ts";
import { model, node, value } from "../support/onnx.ts";
import { quantizeArchitecture, samplesFor } from "../support/quantize_architecture.ts";
import { floats, gaussian } from "../support/random.ts";

interface Case {
  readonly input: number[];
  readonly weight: number[];
  readonly output: number[];
  readonly bias?: number[];
}

const CASES: readonly Case[] = [
  { input: [1, 16], weight: [16], output: [1] },
  { input: [1, 6, 16], weight: [16], output: [1, 6] },
  { input: [1, 6, 8], weight: [1, 8, 10], output: [1, 6, 10] },
  { input: [1, 4, 6, 8], weight: [4, 8, 10], output: [1, 4, 6, 10] },
  { input: [1, 4, 6, 8], weight: [4, 8, 10], output: [1, 4, 6, 10], bias: [10] },
  { input: [1, 4, 6, 8], weight: [1, 4, 8, 10], output: [1, 4, 6, 10], bias: [10] },
  { input: [1, 4, 6, 8], weight: [1, 1, 8, 10], output: [1, 4, 6, 10] },
  { input: [1, 2, 3, 6, 8], weight: [2, 3, 8, 5], output: [1, 2, 3, 6, 5] },
];

function network(
  { input, weight, output, bias }: Case,
  isLast: boolean,
  opset: number,
): Architecture {
  const random = gaussian(17);
  const size = (dims: number[]) => dims.reduce((a, b) => a * b, 1);
  const made = bias === undefined ? "a" : "s";
  const built = model({
    nodes: [
      node("MatMul", ["x", "w"], [isLast && bias === undefined ? "y" : "a"]),
      ...(bias === undefined ? [] : [node("Add", ["a", "b"], [isLast ? "y" : "s"])]),
      ...(isLast ? [] : [node("Sigmoid", [made], ["y"])]),
    ],
    inputs: [value("x", input)],
    outputs: [value("y", output)],
    initializers: [
      makeTensor("w", weight, floats(size(weight), random)),
      ...(bias === undefined ? [] : [makeTensor("b", bias, floats(size(bias), random))]),
    ],
    opset,
  });
  return { input, model: withFields<Model>(built, { irVersion: opset < 21 ? 8n : 10n }) };
}

for (const entry of CASES) {
  for (const preset of ["onnxruntime", "default", "qnnpack", "tflite"]) {
    const title = `weights [${entry.weight}] behind [${entry.input}]${entry.bias ? " + bias" : ""}`;
    Deno.test(`${title} run for ${preset}`, async () => {
      for (const isLast of [true, false]) {
        for (const opset of [13, 21]) {
          const architecture = network(entry, isLast, opset);
          const { model: file } = await quantizeArchitecture(architecture, preset);
          const feeds = samplesFor(architecture, 3).map(({ input: { data } }) => ({
            x: { data, dims: entry.input },
          }));
          for (const [key, found] of await decibelsAtLevels(architecture.model, file, feeds)) {
            assert.ok(found > 30, `${key}, opset ${opset}, last ${isLast}: ${found} dB`);
          }
        }
      }
    });
  }
}
