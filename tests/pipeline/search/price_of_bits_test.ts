/** Targets that must have all on integers give more bits to what 8 would ruin, and the manifest says what that costs. */
import assert from "node:assert/strict";
import { model, node, value } from "../../support/onnx.ts";
import { quantizeWished } from "../../support/quantize_wished.ts";
import { weights } from "../../support/rewrite.ts";
import type { Recipe } from "../../../tpc/recipe/recipe.ts";

const dims = [1, 6, 8];
const network = {
  input: dims,
  model: model({
    nodes: [
      node("MatMul", ["x", "m"], ["a"]),
      node("Add", ["x", "a"], ["sum"]),
      node("LayerNormalization", ["sum", "gain"], ["n"]),
      node("MatMul", ["n", "m"], ["f"]),
      node("Relu", ["f"], ["r"]),
      node("MatMul", ["r", "m"], ["y"]),
    ],
    inputs: [value("x", dims)],
    outputs: [value("y", dims)],
    initializers: [weights("m", 8, 8), weights("gain", 8)],
  }),
};
const activations = async (recipe: Recipe) =>
  new Map(
    (await quantizeWished(network, recipe)).manifest.activations.map((entry) =>
      [entry.tensor, entry] as const
    ),
  );

for (const target of ["imx500", "tflite"]) {
  Deno.test(`${target} gives a sum in front of a normalization 16 bits, and says for what price`, async () => {
    const found = await activations({ target });
    assert.deepEqual(
      ["a", "sum", "r"].map((tensor) => found.get(tensor)?.bits),
      [16, 16, 8],
    );
    const { reason, statistics } = found.get("sum")!;
    const price = reason.at(-1)!;
    assert.match(price, /^16 bits for 8: [\d.]+ dB for [\d.]+ dB, 48 bytes more a sample$/);
    const [now, before] = [...price.matchAll(/([\d.]+) dB/g)].map(([, text]) => Number(text));
    assert.ok(Math.abs(now - statistics!.sqnr!) < 0.06, `${now} for ${statistics!.sqnr}`);
    const usual = await activations({ target, bits: 8 });
    const { sqnr } = usual.get("sum")!.statistics!;
    assert.ok(Math.abs(before - sqnr!) < 0.06, `${before} for ${sqnr}`);
  });
}

Deno.test("bits that the user wishes hold for all tensors", async () => {
  for (const { bits, reason } of (await activations({ target: "imx500", bits: 8 })).values()) {
    assert.equal(bits, 8);
    assert.ok(!reason.join().includes("normalization"), reason.join());
  }
});
