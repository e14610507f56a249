/** MatMul + Add: the bias has integer codes, so that integer kernels are taken. */
import assert from "node:assert/strict";
import { type Model, readModel, withFields } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import type { Architecture } from "../../support/architectures.ts";
import { decibelsAtLevels } from "../../support/every_level.ts";
import { profileKernels } from "../../support/kernels.ts";
import { model, node, value } from "../../support/onnx.ts";
import { quantizeArchitecture, samplesFor } from "../../support/quantize_architecture.ts";
import { floats, gaussian } from "../../support/random.ts";

const random = gaussian(29);

interface Shape {
  readonly input: number[];
  readonly bias: number[];
  /** Whether the bias stands left of the product. */
  readonly isLeft?: boolean;
  readonly isDynamic?: boolean;
}

const SHAPES: readonly Shape[] = [
  { input: [1, 16], bias: [24] },
  { input: [1, 16], bias: [1, 24] },
  { input: [1, 5, 16], bias: [24] },
  { input: [1, 5, 16], bias: [1, 1, 24], isLeft: true },
  { input: [1, 5, 16], bias: [24], isDynamic: true },
  { input: [1, 2, 5, 16], bias: [24] },
  { input: [1, 2, 5, 16], bias: [1, 24], isLeft: true },
  { input: [1, 2, 5, 16], bias: [24], isDynamic: true },
];

/** Two products with a bias each; between them Gelu by hand, which stays float, or Relu, which is fused. */
function network(
  { input, bias, isLeft, isDynamic }: Shape,
  opset: number,
  op: "Erf" | "Relu",
): Architecture {
  const add = (product: string, constant: string, y: string) =>
    node("Add", isLeft ? [constant, product] : [product, constant], [y]);
  const dims = isDynamic ? input.map((size, i) => i < input.length - 1 ? `d${i}` : size) : input;
  const second = [...bias.slice(0, -1), 6];
  const made = model({
    nodes: [
      node("MatMul", ["x", "w"], ["m"]),
      add("m", "b", "a"),
      node(op, ["a"], ["g"]),
      node("MatMul", ["g", "v"], ["n"]),
      add("n", "c", "y"),
    ],
    inputs: [value("x", dims)],
    outputs: [value("y", [...dims.slice(0, -1), 6])],
    initializers: [
      makeTensor("w", [16, 24], floats(16 * 24, random)),
      makeTensor("b", bias, floats(24, random)),
      makeTensor("v", [24, 6], floats(24 * 6, random)),
      makeTensor("c", second, floats(6, random)),
    ],
    opset,
  });
  return { input, model: withFields<Model>(made, { irVersion: opset < 21 ? 8n : 10n }) };
}

const FLOAT_PRODUCTS = ["MatMul", "Gemm", "FusedMatMul", "FusedGemm", "MatMulNBits"];

for (const shape of SHAPES) {
  for (const preset of ["onnxruntime", "default", "tflite"]) {
    const { input, bias, isDynamic } = shape;
    const title = `[${input}]${isDynamic ? " (free)" : ""} and a bias [${bias}]`;
    Deno.test(`products of ${title} take integer kernels for ${preset}`, async () => {
      for (const opset of [13, 21]) {
        for (const op of ["Erf", "Relu"] as const) {
          const architecture = network(shape, opset, op);
          const { model: file } = await quantizeArchitecture(architecture, preset);
          const feeds = samplesFor(architecture, 3).map(({ input: { data } }) => ({
            x: { data, dims: input },
          }));
          for (const [key, found] of await decibelsAtLevels(architecture.model, file, feeds)) {
            assert.ok(found > 28, `${key}, opset ${opset}, ${op}: ${found} dB`);
          }
          const kernels = (await profileKernels(file, { x: input })).map(({ op }) => op);
          const products = kernels.filter((kernel) => /MatMul|Gemm/.test(kernel));
          assert.equal(products.length, 2, `${kernels}`);
          assert.ok(!products.some((kernel) => FLOAT_PRODUCTS.includes(kernel)), `${products}`);
        }
      }
    });
  }
}

Deno.test("an Add of something else than a row stays float, and so does the bias of several matrices", async () => {
  const table = network({ input: [1, 5, 16], bias: [24] }, 17, "Erf");
  const { graph } = table.model;
  const initializer = graph.initializer.map((tensor) =>
    tensor.name === "b" ? makeTensor("b", [5, 24], floats(120, random)) : tensor
  );
  const model = withFields<Model>(table.model, { graph: withFields(graph, { initializer }) });
  const { model: file, manifest } = await quantizeArchitecture({ ...table, model }, "onnxruntime");
  assert.deepEqual(manifest.weights.map(({ bias }) => bias?.tensor), [undefined, "c"]);
  const kept = readModel(file, "the model").graph.initializer.find(({ name }) => name === "b");
  assert.deepEqual(kept?.dims, [5n, 24n]);
});
