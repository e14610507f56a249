/** EfficientNet-Lite0, as PyTorch exports it, and photographs: from ../shared, which isn't part of the repository. */
import assert from "node:assert/strict";
import { openSamples } from "../../apps/hosts/deno_library.ts";
import type { Tensor } from "../../core/tensor.ts";
import { readModel } from "../../onnx/file/model.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import { prepareModel } from "../../onnx/prepare/prepare.ts";
import { equalize } from "../../onnx/rewrites/equalize.ts";
import { scaleReluBounds } from "../../onnx/rewrites/scale_relu_bounds.ts";
import { evaluate } from "../../pipeline/evaluate/evaluate.ts";
import { createSession, runConstants } from "../../pipeline/inference/default_runtime.ts";
import { loadFloatModel, quantize } from "../../pipeline/quantize/quantize.ts";
import { preprocessor } from "../../pipeline/source/preprocess.ts";
import { parsePreprocessing } from "../../tpc/recipe/preprocessing.ts";
import { channelMaxima, runInside } from "../support/exposed.ts";
import { profileKernels } from "../support/kernels.ts";
import { floats, gaussian } from "../support/random.ts";
import { operators } from "../support/rewrite.ts";
import { assertSameOutputs } from "../support/run_model.ts";
import { assertSameFunction } from "../support/same_function.ts";
import { sharedPath } from "../support/shared.ts";

const data = sharedPath("data/efficientnet-lite0/model.onnx") &&
  sharedPath("data/imagenet-sample") && sharedPath("data");
const lite0 = `${data}/efficientnet-lite0/model.onnx`;

function lite0Test(name: string, fn: () => void | Promise<void>): void {
  const isMissing = data === undefined;
  const shown = isMissing ? `${name} (skipped: ../shared is absent)` : name;
  Deno.test({ name: shown, ignore: isMissing, fn });
}

/** How the model wants its pixels; see reference.py beside it. */
const PREPROCESS = { resize: 256, crop: 224, scale: 1, mean: 127, std: 128 };

lite0Test(
  "8 photographs quantize EfficientNet-Lite0 for ONNX Runtime: all layers integer, SQNR above 23 dB",
  async () => {
    const samples = (limit: number) =>
      openSamples(`${data}/imagenet-sample`, { preprocess: PREPROCESS, limit });
    const float = await loadFloatModel(await Deno.readFile(lite0), "lite0");
    const { model } = await quantize(float, samples(8), { target: "onnxruntime" });
    const { inputs } = outlineGraph(float.original.graph);
    const counts = Object.groupBy(
      await profileKernels(model, { [inputs[0].name]: [1, 3, 224, 224] }),
      ({ op }) => op,
    );
    assert.equal(counts.QLinearConv?.length, 49);
    assert.equal(counts.QGemm?.length, 1);
    for (const op of ["Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul"]) {
      assert.equal(counts[op], undefined, op);
    }
    await using reference = await createSession(float.original, { name: "float" });
    await using quantized = await createSession(readModel(model, "q"), { name: "quantized" });
    const models = [{ name: "float", session: reference }, { name: "q", session: quantized }];
    const opened = await samples(40).open((index) => index < 8);
    const [, { sqnr }] = await evaluate(models, opened.samples, { inputs, batch: 8 });
    assert.ok(sqnr! > 23, `${sqnr} dB`);
  },
);

lite0Test("prepareModel() folds a raw PyTorch export of EfficientNet-Lite0", async () => {
  const before = readModel(Deno.readFileSync(lite0), "lite0");
  const after = await prepareModel(before, runConstants);
  assert.ok(!operators(after).includes("BatchNormalization"));
  assert.ok(!operators(after).includes("Constant"));
  const [{ name }] = before.graph.input;
  const input = { data: floats(3 * 224 * 224, gaussian(7)), dims: [1, 3, 224, 224] };
  await assertSameOutputs(before, after, { [name]: input }, 1e-4);
});

lite0Test("foldPad() leaves no Pad in EfficientNet-Lite0", async () => {
  const after = await prepareModel(readModel(Deno.readFileSync(lite0), "lite0"), runConstants);
  const counts = Object.groupBy(operators(after), (op) => op);
  assert.equal(counts.Pad, undefined);
  assert.equal(counts.Conv?.length, 49);
  const left = Object.entries(counts).map(([op, all]) => `${all?.length} ${op}`).sort();
  assert.deepEqual(left, [
    ...["1 Concat", "1 Gather", "1 Gemm", "1 GlobalAveragePool", "1 Reshape", "1 Shape"],
    ...["1 Unsqueeze", "33 Clip", "49 Conv", "9 Add"],
  ]);
});

lite0Test("scaleReluBounds() scales every ReLU6 of EfficientNet-Lite0", async () => {
  const raw = readModel(Deno.readFileSync(lite0), "lite0");
  const before = await prepareModel(raw, runConstants);
  const [{ name }] = before.graph.input;
  const image = { data: floats(3 * 224 * 224, gaussian(7)), dims: [1, 3, 224, 224] };
  const { scaled } = await assertSameFunction(before, scaleReluBounds, {
    feeds: { [name]: image },
    tolerance: 2e-5,
  });
  const clips = operators(before).filter((op) => op === "Clip");
  assert.equal(clips.length, 33);
  assert.equal(scaled.length, clips.length);
  assert.ok(scaled.every(({ from, to }) => from === 6 && to === 8));
});

lite0Test("equalize() balances the blocks of EfficientNet-Lite0", async () => {
  const raw = readModel(Deno.readFileSync(lite0), "lite0");
  const before = await prepareModel(raw, runConstants);
  const [{ name }] = before.graph.input;
  const feeds = { [name]: { data: floats(3 * 224 * 224, gaussian(7)), dims: [1, 3, 224, 224] } };
  const clips = before.graph.node.filter(({ opType }) => opType === "Clip");
  const seen = await runInside(before, clips.map(({ output }) => output[0]), feeds);
  const maxima = new Map([...seen].map(([clip, tensor]) => [clip, channelMaxima(tensor, 1)]));
  const { equalized } = await assertSameFunction(before, (given) => equalize(given, maxima), {
    feeds,
    tolerance: 2e-5,
  });
  // The last Clip goes into the pooling, and each block's output into a sum.
  assert.ok(equalized.length >= 30, `${equalized.length}`);
});

lite0Test("preprocessor() gives EfficientNet-Lite0 what its reference.py gives it", () => {
  const { rows } = JSON.parse(Deno.readTextFileSync(`${data}/efficientnet-lite0/reference.json`));
  const preprocess = preprocessor(parsePreprocessing({
    resize: { shortest: 256, rounding: "round" },
    crop: { width: 224, height: 224, rounding: "truncate" },
    scale: 1,
  }, "test"));
  for (const [name, { pixel_sum }] of Object.entries<{ pixel_sum: number }>(rows)) {
    const encoded = Deno.readFileSync(`${data}/imagenet-sample/${name}`);
    const { data: values } = preprocess({ index: 0, id: name, encoded }).input as Tensor;
    const sum = values.reduce((sum, value) => sum + value, 0);
    const off = Math.abs(sum - pixel_sum) / values.length;
    // Chroma in half the resolution: libjpeg-turbo and zune-jpeg round it in different ways.
    assert.ok(off < 0.25, `${name}: mean is off by ${off} of 255`);
  }
});
