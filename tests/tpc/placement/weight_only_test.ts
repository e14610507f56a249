/** Placement where nothing but weights is quantized: overrides, and constants that several nodes read. */
import assert from "node:assert/strict";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { type Model, withFields } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import { watchedTensors } from "../../../tpc/placement/types.ts";
import { type Recipe, resolveRecipe } from "../../../tpc/recipe/recipe.ts";
import { model, node, value } from "../../support/onnx.ts";

function chain(): Model {
  return model({
    nodes: [node("MatMul", ["x", "a"], ["m"]), node("MatMul", ["m", "b"], ["y"])],
    inputs: [value("x", ["N", 64])],
    outputs: [value("y", ["N", 64])],
    initializers: ["a", "b"].map((name) => makeTensor(name, [64, 64], new Float32Array(4096))),
  });
}

function place(recipe: Recipe, { graph }: Model = chain()) {
  return resolve(outlineGraph(graph), resolveRecipe(recipe).target);
}

Deno.test("an override leaves the weights of a layer float32, in every type", () => {
  const overrides = [{ match: { node: "MatMul_m" }, quantize: false as const }];
  for (const weightOnly of ["int8", "int4", "float16"] as const) {
    const { weights, stored } = place({ weightOnly, overrides });
    assert.deepEqual([...weights, ...stored].map(({ tensor }) => tensor), ["b"]);
  }
  const { float } = place({ weightOnly: "int8", overrides });
  assert.match(float[0].reason, /left float by the override for node MatMul_m/);
});

Deno.test("an override sets bits of weights; one for activations has nothing to change", () => {
  const match = { node: "MatMul_m" };
  const { weights } = place({ weightOnly: "int8", overrides: [{ match, weight: { bits: 6 } }] });
  assert.deepEqual(weights.map(({ spec }) => spec.bits), [6, 8]);
  assert.throws(
    () => place({ weightOnly: "int8", overrides: [{ match, activation: { bits: 6 } }] }),
    /a quantizer of an activation that each of them changes/,
  );
});

Deno.test("what layers read is watched, for rounding by moments", () => {
  const placement = place({ weightOnly: "int4" });
  assert.deepEqual(placement.activations, []);
  assert.deepEqual(watchedTensors(placement), ["x", "m"]);
  assert.deepEqual(watchedTensors(place({ weightOnly: "float16" })), []);
});

Deno.test("weights that something else reads stay float32, since they are in the file anyway", () => {
  const given = chain();
  const { graph } = given;
  const read = withFields<Model>(given, {
    graph: withFields(graph, { node: [...graph.node, node("Abs", ["a"], ["z"])] }),
  });
  const { weights, float } = place({ weightOnly: "int8" }, read);
  assert.deepEqual(weights.map(({ tensor }) => tensor), ["b"]);
  assert.match(float[0].reason, /Abs_z reads its weights, too/);
});

Deno.test("sizes of blocks are the wished one, or the next smaller one that divides the inputs", () => {
  const sizes = (weightBlock?: 16 | 32 | 64 | 128 | 256) =>
    place({ weightOnly: "int4", ...(weightBlock === undefined ? {} : { weightBlock }) })
      .weights.map(({ spec }) => spec.blockSize);
  assert.deepEqual(sizes(), [32, 32]);
  assert.deepEqual(sizes(16), [16, 16]);
  assert.deepEqual(sizes(128), [64, 64]);
});
