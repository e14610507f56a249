/**
 * Where a quantized model loses it: the output SQNR when one tensor, or the weights of one layer, are quantized and
 * everything else is float.
 *
 *     deno run -A tests/bench/layer_loss.ts MODEL MANIFEST IDX [images] [scale] [mean] [std]
 *
 * Writes a Markdown table, the most harmful first. What all of them lose together is the sum of what each loses, in
 * power, as far as their errors don't know of each other; the last lines say how far that holds.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { denoHost } from "../../apps/hosts/deno.ts";
import type { Tensor } from "../../core/tensor.ts";
import { createSession } from "../../pipeline/inference/default_runtime.ts";
import { loadFloatModel } from "../../pipeline/quantize/quantize.ts";
import { decideWeights } from "../../pipeline/search/decide_weights.ts";
import { openSamples } from "../../pipeline/source/open_samples.ts";
import { preprocessor } from "../../pipeline/source/preprocess.ts";
import { parsePreprocessing } from "../../tpc/recipe/preprocessing.ts";
import { emitModel } from "../../tpc/emission/emit.ts";
import { type Manifest, parseManifest } from "../../tpc/manifest.ts";
import type { Model } from "../../onnx/file/model.ts";

const [modelPath, manifestPath, dataPath, count = "12", scale = "1", mean = "127", std = "128"] =
  Deno.args;
const float = await loadFloatModel(await Deno.readFile(modelPath), modelPath);
const manifest = decideWeights(
  parseManifest(JSON.parse(await Deno.readTextFile(manifestPath)), manifestPath),
  float.prepared,
);
const preprocess = preprocessor(parsePreprocessing({
  scale: Number(scale),
  mean: [Number(mean)],
  std: [Number(std)],
  layout: "NCHW",
}, "arguments"));
const { samples } = await openSamples(denoHost, dataPath, { limit: Number(count) });
const images = (await Array.fromAsync(samples)).map((raw) => preprocess(raw).input as Tensor);
const input = float.prepared.graph.input[0].name;
const output = float.prepared.graph.output[0].name;

async function outputs(model: Model): Promise<Float32Array[]> {
  // Unoptimized: ONNX Runtime would quantize float weights by itself where the activations around them are
  // quantized, one step a tensor, and cost 12 dB here (measured).
  await using session = await createSession(model, { name: "a variant", optimization: "disabled" });
  const results: Float32Array[] = [];
  for (const { data, dims } of images) {
    const feeds = new Map([[input, { data, dims: [1, ...dims] }]]);
    results.push((await session.run(feeds, [output])).get(output)!.data);
  }
  return results;
}

const reference = await outputs(float.prepared);
const signal = reference.reduce((sum, y) => sum + y.reduce((a, x) => a + x * x, 0), 0);

/** Noise power of the outputs against float, of the power of the outputs. */
async function loss(part: Partial<Manifest>): Promise<number> {
  const found = await outputs(emitModel(float.prepared, { ...manifest, ...part }));
  let noise = 0;
  reference.forEach((y, i) => y.forEach((x, j) => noise += (x - found[i][j]) ** 2));
  return noise / signal;
}

const rows: { what: string; detail: string; loss: number }[] = [];
for (const entry of manifest.activations) {
  if (entry.sameAs !== undefined) continue;
  rows.push({
    what: `activation ${entry.tensor}`,
    detail: `threshold ${entry.threshold}, ${entry.statistics?.sqnr?.toFixed(1)} dB of its own`,
    loss: await loss({ activations: [entry], weights: [] }),
  });
}
for (const entry of manifest.weights) {
  rows.push({
    what: `weights of ${entry.node}`,
    detail: `${entry.steps?.scales.length} steps, ${entry.steps?.sqnr?.toFixed(1)} dB of their own`,
    loss: await loss({ activations: [], weights: [entry] }),
  });
}
const decibels = (value: number) => (-10 * Math.log10(value)).toFixed(1);
const sum = (list: typeof rows) => list.reduce((total, { loss }) => total + loss, 0);
const total = sum(rows);
console.log(
  "| quantized alone | its quantizer | output dB | part of the noise |\n|---|---|---|---|",
);
for (const { what, detail, loss } of rows.toSorted((a, b) => b.loss - a.loss).slice(0, 20)) {
  const part = (100 * loss / total).toFixed(1);
  console.log(`| ${what} | ${detail} | ${decibels(loss)} | ${part} % |`);
}
const of = (kind: string) => rows.filter(({ what }) => what.startsWith(kind));
console.log(
  `\nactivations together: ${decibels(await loss({ weights: [] }))} dB, by the sum ${
    decibels(sum(of("activation")))
  }`,
);
console.log(
  `weights together: ${decibels(await loss({ activations: [] }))} dB, by the sum ${
    decibels(sum(of("weights")))
  }`,
);
console.log(`all: ${decibels(await loss({}))} dB, by the sum ${decibels(total)}`);
