/** Layers that quantize their input as the model runs: the kernels that run, and the numbers that they give. */
import assert from "node:assert/strict";
import { writeModel } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { emitModel } from "../../../tpc/emission/emit.ts";
import { explainFusion, nameNodes } from "../../../tpc/emission/fusion.ts";
import { exampleFeeds } from "../../../pipeline/inference/example_feeds.ts";
import { profileKernels } from "../../../pipeline/inference/profile.ts";
import type { Recipe } from "../../../tpc/recipe/recipe.ts";
import type { Architecture } from "../../support/architectures.ts";
import { decibelsAtLevels, operatorsOf, runAtLevel } from "../../support/every_level.ts";
import { model, node, value } from "../../support/onnx.ts";
import { feedsFor, quantizeWished } from "../../support/quantize_wished.ts";
import { floats, gaussian } from "../../support/random.ts";

const DYNAMIC: Recipe = { target: "onnxruntime", activation: "dynamic" };
const WIDTH = 32;

/** Three products of one tensor with biases, as query, key and value have them, and another behind their sum. */
function attentionLike(opset: number): Architecture {
  const random = gaussian(3);
  const matrix = (name: string) =>
    makeTensor(name, [WIDTH, WIDTH], floats(WIDTH * WIDTH, random).map((w) => w / 5));
  const row = (name: string) => makeTensor(name, [WIDTH], floats(WIDTH, random));
  return {
    input: [1, 6, WIDTH],
    model: model({
      nodes: [
        ...["q", "k", "v"].flatMap((name) => [
          node("MatMul", ["x", `w${name}`], [`m${name}`]),
          // Exporters write either order.
          node("Add", name === "k" ? ["mk", "bk"] : [`b${name}`, `m${name}`], [name]),
        ]),
        node("Add", ["q", "k"], ["s"]),
        node("Mul", ["s", "v"], ["t"]),
        node("MatMul", ["t", "wo"], ["mo"]),
        node("Add", ["mo", "bo"], ["y"]),
      ],
      inputs: [value("x", ["N", 6, WIDTH])],
      outputs: [value("y", ["N", 6, WIDTH])],
      initializers: ["q", "k", "v", "o"].flatMap((n) => [matrix(`w${n}`), row(`b${n}`)]),
      opset,
    }),
  };
}

/** Gemm with its weights as they lie and transposed, with a bias and without, behind a convolution. */
function classifier(): Architecture {
  const random = gaussian(5);
  return {
    input: [1, 2, 4, 4],
    model: model({
      nodes: [
        node("Conv", ["x", "c"], ["d"], { pads: [1, 1, 1, 1] }),
        node("Flatten", ["d"], ["f"]),
        node("Gemm", ["f", "w1", "b1"], ["g"], { transB: 1 }),
        node("Relu", ["g"], ["h"]),
        node("Gemm", ["h", "w2"], ["y"]),
      ],
      inputs: [value("x", ["N", 2, 4, 4])],
      outputs: [value("y", ["N", 10])],
      initializers: [
        makeTensor("c", [2, 2, 3, 3], floats(36, random)),
        makeTensor("w1", [24, 32], floats(24 * 32, random)),
        makeTensor("b1", [24], floats(24, random)),
        makeTensor("w2", [24, 10], floats(240, random)),
      ],
    }),
  };
}

async function fusionOf(file: Uint8Array, dims: readonly number[]) {
  const { readModel } = await import("../../../onnx/file/model.ts");
  const named = nameNodes(readModel(file, "the model"));
  const feeds = exampleFeeds(named, new Map([["x", [...dims]]]));
  return explainFusion(named, await profileKernels(named, feeds, "the model"));
}

for (const opset of [13, 17, 21]) {
  Deno.test(`layers with dynamic inputs are fused and share a quantizer: opset ${opset}`, async () => {
    const architecture = attentionLike(opset);
    const { model: file, manifest, float } = await quantizeWished(architecture, DYNAMIC);
    assert.equal(manifest.weights.length, 4);
    assert.ok(manifest.weights.every(({ compute }) => compute === "dynamic"));
    assert.deepEqual(writeModel(emitModel(float.prepared, manifest)), file);
    const operators = operatorsOf(file);
    assert.equal(operators.filter((op) => op === "DynamicQuantizeLinear").length, 2);
    const { nodes, linear } = await fusionOf(file, architecture.input);
    assert.deepEqual(linear, { integer: 4, total: 4 });
    const kernels = nodes.filter(({ op }) => op === "MatMulInteger").map(({ kernel }) => kernel);
    assert.deepEqual(kernels.toSorted(), [
      "DynamicQuantizeMatMul",
      ...Array(3).fill("MatMulIntegerToFloat"),
    ]);
    const left = nodes.filter(({ op, kernel }) =>
      kernel !== null && ["Cast", "Mul", "Add"].includes(op)
    );
    // The sum and the product in between, and nothing of any layer.
    assert.deepEqual(left.map(({ op }) => op), ["Add", "Mul"]);
    const found = await decibelsAtLevels(architecture.model, file, feedsFor(architecture, 3));
    for (const [key, decibels] of found) assert.ok(decibels > 35, `${key}: ${decibels} dB`);
  });
}

Deno.test("Gemm becomes dynamic with its bias corrected; a Conv stays float, and the manifest says why", async () => {
  const architecture = classifier();
  const { model: file, manifest } = await quantizeWished(architecture, DYNAMIC);
  assert.deepEqual(manifest.activations, []);
  assert.deepEqual(manifest.weights.map(({ op, compute }) => [op, compute]), [
    ["Gemm", "dynamic"],
    ["Gemm", "dynamic"],
  ]);
  assert.ok(manifest.weights.every(({ biasShift }) => biasShift !== undefined));
  const conv = manifest.float.find(({ op }) => op === "Conv");
  assert.match(conv!.reason, /ConvInteger takes 4\.9 times/);
  const { linear, nodes } = await fusionOf(file, architecture.input);
  assert.deepEqual(linear, { integer: 2, total: 3 });
  assert.match(nodes.find(({ op }) => op === "Conv")!.reason!, /float/);
  const found = await decibelsAtLevels(architecture.model, file, feedsFor(architecture, 3));
  for (const [key, decibels] of found) assert.ok(decibels > 35, `${key}: ${decibels} dB`);
});

Deno.test("a dynamic layer gives what DynamicQuantizeLinear and the codes in the manifest say", async () => {
  const random = gaussian(9);
  const [rows, columns] = [40, 6];
  const weights = floats(rows * columns, random);
  const architecture: Architecture = {
    input: [1, rows],
    model: model({
      nodes: [node("MatMul", ["x", "w"], ["y"])],
      inputs: [value("x", ["N", rows])],
      outputs: [value("y", ["N", columns])],
      initializers: [makeTensor("w", [rows, columns], weights)],
    }),
  };
  // The weights of the model that was given, not those that scales have migrated into.
  const recipe = { ...DYNAMIC, scaleMigration: false };
  const { model: file, manifest } = await quantizeWished(architecture, recipe);
  const { scales } = manifest.weights[0].steps!;
  for (const feeds of feedsFor(architecture, 4)) {
    const { data: x } = feeds.x;
    // ONNX, DynamicQuantizeLinear: the range of the tensor with zero, in 255 steps.
    const low = Math.min(0, ...x);
    const step = (Math.max(0, ...x) - low) / 255;
    const zero = Math.round(-low / step);
    const codes = x.map((v) => Math.min(255, Math.max(0, Math.round(v / step) + zero)) - zero);
    const expected = Float64Array.from({ length: columns }, (_, c) => {
      let sum = 0;
      for (let r = 0; r < rows; r++) {
        const code = Math.round(weights[r * columns + c] / scales[c]);
        sum += codes[r] * Math.min(127, Math.max(-127, code));
      }
      return sum * step * scales[c];
    });
    const most = Math.max(...expected.map(Math.abs));
    for (const level of ["disabled", "all"] as const) {
      for (const [runtime, outputs] of await runAtLevel(file, feeds, level)) {
        outputs.get("y")!.data.forEach((y, c) =>
          assert.ok(
            Math.abs(y - expected[c]) < 1e-5 * most,
            `${runtime}, ${level}: ${y}, ${expected}`,
          )
        );
      }
    }
  }
});

Deno.test("an override makes one layer dynamic beside static ones", async () => {
  const architecture = attentionLike(17);
  const overrides = [{ match: { node: "MatMul_mo" }, compute: "dynamic" as const }];
  const { model: file, manifest } = await quantizeWished(architecture, {
    target: "onnxruntime",
    overrides,
  });
  assert.deepEqual(manifest.weights.map(({ node, compute }) => [node, compute]), [
    ["MatMul_mq", undefined],
    ["MatMul_mk", undefined],
    ["MatMul_mv", undefined],
    ["MatMul_mo", "dynamic"],
  ]);
  assert.match(manifest.weights[3].reason[0], /by the override for node MatMul_mo/);
  const { linear, nodes } = await fusionOf(file, architecture.input);
  assert.deepEqual(linear, { integer: 4, total: 4 });
  const own = nodes.find(({ op }) => op === "MatMulInteger");
  assert.equal(own?.kernel, "DynamicQuantizeMatMul");
  const found = await decibelsAtLevels(architecture.model, file, feedsFor(architecture, 3));
  for (const [key, decibels] of found) assert.ok(decibels > 30, `${key}: ${decibels} dB`);
});

Deno.test("an override that finds no layer to make dynamic is refused", async () => {
  const overrides = [{ match: { operator: "Conv" }, compute: "dynamic" as const }];
  await assert.rejects(
    quantizeWished(classifier(), { target: "onnxruntime", overrides }),
    /a MatMul or Gemm with a constant matrix, or an LSTM with constant weights, that each of them changes/,
  );
});

Deno.test("targets without room for 8 bits in 16-bit sums keep 7 bits in dynamic layers", async () => {
  const { manifest } = await quantizeWished(attentionLike(17), {
    target: "onnxruntime-reduced",
    activation: "dynamic",
  });
  assert.ok(manifest.weights.every(({ bits }) => bits === 7));
});
