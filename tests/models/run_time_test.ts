/** Trained networks with activations that are quantized as they run, with weights alone, and with a recurrent layer. */
import assert from "node:assert/strict";
import { openSamples } from "../../apps/hosts/deno_library.ts";
import { exampleFeeds } from "../../pipeline/inference/example_feeds.ts";
import { profileKernels } from "../../pipeline/inference/profile.ts";
import { loadFloatModel, quantize } from "../../pipeline/quantize/quantize.ts";
import { explainFusion, nameNodes } from "../../tpc/emission/fusion.ts";
import type { Recipe } from "../../tpc/recipe/recipe.ts";
import { sharedPath } from "../support/shared.ts";

async function quantized(name: string, recipe: Recipe) {
  const folder = sharedPath(`models/${name}`)!;
  const file = await Deno.readFile(`${folder}/model.onnx`);
  const result = await quantize(
    await loadFloatModel(file, name),
    openSamples(`${folder}/calib.npz`),
    { target: "onnxruntime", ...recipe },
  );
  const [{ sqnr }] = result.verdict!.outputs;
  return { ...result, sqnr: sqnr!, part: result.model.length / file.length };
}

Deno.test({
  name: "magika with dynamic activations: its products are fused, 35 dB",
  ignore: sharedPath("models/magika") === undefined,
  async fn() {
    const { manifest, emitted, sqnr } = await quantized("magika", { activation: "dynamic" });
    assert.ok(sqnr > 35, `${sqnr} dB`);
    assert.deepEqual(manifest.weights.map(({ op, compute }) => [op, compute]), [
      ["MatMul", "dynamic"],
      ["Gemm", "dynamic"],
    ]);
    const named = nameNodes(emitted);
    const feeds = exampleFeeds(named, new Map([[named.graph.input[0].name, [1, 2048]]]));
    const { nodes } = explainFusion(named, await profileKernels(named, feeds, "magika"));
    const layers = nodes.filter(({ op }) => op === "MatMulInteger");
    assert.deepEqual(layers.map(({ kernel, reason }) => [kernel, reason]), [
      ["DynamicQuantizeMatMul", undefined],
      ["DynamicQuantizeMatMul", undefined],
    ]);
  },
});

for (
  const [weightOnly, least, most] of [["int8", 33, 0.28], ["int4", 22, 0.27], [
    "float16",
    58,
    0.52,
  ]] as const
) {
  Deno.test({
    name: `magika with ${weightOnly} weights alone: ${least} dB, ${most} of the bytes`,
    ignore: sharedPath("models/magika") === undefined,
    async fn() {
      const { sqnr, part } = await quantized("magika", { weightOnly });
      assert.ok(sqnr > least, `${sqnr} dB`);
      assert.ok(part < most, `${part} of the bytes`);
    },
  });
}

Deno.test({
  name:
    "an LSTM in branches has its weights in int8: silero, probability of 30 dB, a third of the bytes",
  ignore: sharedPath("models/silero_op15") === undefined,
  async fn() {
    const { manifest, sqnr, part } = await quantized("silero_op15", {});
    assert.ok(sqnr > 30, `${sqnr} dB`);
    assert.ok(part < 0.35, `${part} of the bytes`);
    assert.deepEqual(manifest.stored!.map(({ tensor, type }) => [tensor, type]), [
      ["model.decoder.rnn.weight_ih", "int8"],
      ["model.decoder.rnn.weight_hh", "int8"],
    ]);
  },
});
