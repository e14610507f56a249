/** Bias correction and rounding by second moments, from samples to the emitted model. */
import assert from "node:assert/strict";
import type { Sample } from "../../../core/tensor.ts";
import { createSession } from "../../../pipeline/inference/default_runtime.ts";
import { loadFloatModel, quantize, type RunOptions } from "../../../pipeline/quantize/quantize.ts";
import { readCodes } from "../../../pipeline/rounding/codes_file.ts";
import { decide } from "../../../pipeline/search/decide.ts";
import { decideWeights } from "../../../pipeline/search/decide_weights.ts";
import type { Samples } from "../../../pipeline/source/samples.ts";
import type { Wishes } from "../../../tpc/recipe/wishes.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { canonicalJson } from "../../../core/canonical_json.ts";
import { emitModel } from "../../../tpc/emission/emit.ts";
import { parseManifest } from "../../../tpc/manifest.ts";
import { readModel, writeModel } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import type { Target } from "../../../tpc/targets/target.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";
import { model, node, value } from "../../support/onnx.ts";
import { gaussian } from "../../support/random.ts";

const preset = presetTarget("onnxruntime")!;
const normal = gaussian(3);
const floats = (length: number) => Float32Array.from({ length }, () => normal());

/** Conv without bias, Conv with bias, Gemm: correlated channels whose means are far from 0. */
function smallModel() {
  return model({
    nodes: [
      node("Conv", ["x", "a"], ["p"], { pads: [1, 1, 1, 1] }),
      node("Relu", ["p"], ["q"]),
      node("Conv", ["q", "b", "bias"], ["r"]),
      node("GlobalAveragePool", ["r"], ["s"]),
      node("Flatten", ["s"], ["t"]),
      node("Gemm", ["t", "c"], ["y"], { transB: 1 }),
    ],
    inputs: [value("x", ["n", 4, 8, 8])],
    outputs: [value("y", ["n", 5])],
    initializers: [
      makeTensor("a", [12, 4, 3, 3], floats(12 * 36)),
      makeTensor("b", [10, 12, 1, 1], floats(120)),
      makeTensor("bias", [10], floats(10)),
      makeTensor("c", [5, 10], floats(50)),
    ],
  });
}

const samples: Sample[] = Array.from({ length: 24 }, (_, index) => {
  const level = normal();
  const data = Float32Array.from(
    { length: 256 },
    (_, i) => 2 + Math.floor(i / 64) + level + 0.3 * normal(),
  );
  return { index, id: `${index}`, input: { data, dims: [4, 8, 8] } };
});
const float = await loadFloatModel(writeModel(smallModel()), "small");

async function outputs(file: Uint8Array): Promise<Float32Array> {
  await using session = await createSession(readModel(file, "a model"), { name: "a model" });
  const data = new Float32Array(24 * 256);
  samples.forEach(({ input }, i) => data.set((input as { data: Float32Array }).data, 256 * i));
  return (await session.run(new Map([["x", { data, dims: [24, 4, 8, 8] }]]), ["y"])).get("y")!.data;
}

const reference = await outputs(writeModel(float.original));

/** SQNR of the outputs in dB. */
async function quality(
  target: Target,
  wishes: Wishes = {},
  options: RunOptions = {},
  given: Samples = samples,
) {
  const result = await quantize(float, given, { target, ...wishes }, options);
  const found = await outputs(result.model);
  let [signal, noise] = [0, 0];
  reference.forEach((y, i) => {
    signal += y * y;
    noise += (found[i] - y) ** 2;
  });
  return { result, sqnr: 10 * Math.log10(signal / noise) };
}

function withWeights(bits: number, biasCorrection: boolean): Target {
  return { ...preset, weight: { ...preset.weight, bits, biasCorrection } };
}

Deno.test("bias correction takes out what rounding adds on average, also where there was no bias", async () => {
  const without = await quality(withWeights(4, false));
  const corrected = await quality(withWeights(4, true));
  assert.ok(corrected.sqnr > without.sqnr + 6, `${without.sqnr}, corrected ${corrected.sqnr}`);
  const { weights } = corrected.result.manifest;
  assert.deepEqual(weights.map(({ biasShift }) => biasShift?.length), [12, 10, 5]);
  for (const { reason, inputMeans } of weights) {
    assert.match(reason.join("; "), /bias corrected by up to \d/);
    assert.equal(inputMeans, undefined);
  }
  assert.ok(without.result.manifest.weights.every(({ biasShift }) => biasShift === undefined));
});

Deno.test("a manifest that was searched without the model corrects the bias at emission", async () => {
  const target = withWeights(4, true);
  const { result } = await quality(target);
  const statistics = await readPlim(result.statistics, "s.plim");
  const { sha256 } = result.manifest.statistics;
  const { recipe } = result;
  const searched = await decide({ statistics, statisticsSha256: sha256, target, recipe });
  assert.equal(searched.weights[0].inputMeans?.length, 4);
  const read = parseManifest(JSON.parse(canonicalJson(searched)), "m.json");
  const late = decideWeights(read, float.prepared);
  assert.equal(canonicalJson(late), canonicalJson(result.manifest));
  assert.deepEqual(writeModel(emitModel(float.prepared, late)), result.model);
});

Deno.test("gptq rounding beats nearest rounding by far, whatever the batch and the order of samples", async () => {
  const target = withWeights(3, true);
  const nearest = await quality(target);
  const rounded = await quality(target, { weightRounding: "gptq" });
  assert.ok(rounded.sqnr > nearest.sqnr + 2, `${nearest.sqnr}, rounded ${rounded.sqnr}`);
  const shuffled = samples.toReversed();
  const again = await quality(target, { weightRounding: "gptq" }, { batch: 5 }, shuffled);
  assert.deepEqual(again.result.model, rounded.result.model);
  assert.deepEqual(again.result.codes, rounded.result.codes);
  const { manifest, codes: file } = rounded.result;
  assert.ok(manifest.weights.every(({ rounding }) => rounding === "gptq"));
  assert.match(manifest.weights[0].reason.join("; "), /expected output error \d+\.\d dB below/);
  const { prepared } = float;
  const codes = await readCodes(file!, { manifest, model: prepared, name: "codes.bin" });
  assert.deepEqual(writeModel(emitModel(prepared, manifest, codes)), rounded.result.model);
  await assert.rejects(
    readCodes(file!.slice(1), { manifest, model: prepared, name: "codes.bin" }),
    /reading codes "codes.bin": wanted the file with SHA-256/,
  );
  assert.throws(() => emitModel(prepared, manifest), /without a file of codes/);
});

Deno.test("weights below 8 bits may be clipped unless the target says otherwise", async () => {
  const clips = async (bits: number) => {
    const { result } = await quality(withWeights(bits, true));
    return result.manifest.weights.map(({ clip }) => clip);
  };
  assert.deepEqual(await clips(8), [false, false, false]);
  assert.deepEqual(await clips(4), [true, true, true]);
});

Deno.test("weight method output counts errors by the variance of the input", async () => {
  const target = { ...preset, weight: { ...preset.weight, bits: 4, error: "output" } } as Target;
  const { result } = await quality(target);
  assert.match(result.manifest.weights[0].reason.join("; "), /each by the variance of its input/);
  assert.ok(result.manifest.weights.every(({ inputVariances }) => inputVariances === undefined));
  const mse = await quality(withWeights(4, true));
  const steps = ({ manifest }: typeof result) => manifest.weights.map(({ steps }) => steps!.scales);
  assert.notDeepEqual(steps(result), steps(mse.result));
});

Deno.test("the demo at 4-bit weights: gptq gains over nearest codes", async () => {
  const demo = await demoModel();
  const target = withWeights(4, true);
  const open = () => demoSamples(48);
  const run = async (wishes: Wishes) => {
    const opener = { open: async () => ({ samples: await open() }) };
    const { model } = await quantize(demo, opener, { target, ...wishes });
    const [images] = [await Array.fromAsync(await demoSamples(96))];
    const logits = async (file: Uint8Array) => {
      await using session = await createSession(readModel(file, "m"), { name: "m" });
      const all: number[] = [];
      for (const { input: { data } } of images.slice(48)) {
        const feeds = new Map([["image", { data, dims: [1, 1, 28, 28] }]]);
        all.push(...(await session.run(feeds, ["logits"])).get("logits")!.data);
      }
      return all;
    };
    const [wanted, found] = [await logits(writeModel(demo.original)), await logits(model)];
    return wanted.reduce((sum, y, i) => sum + (found[i] - y) ** 2, 0);
  };
  const [nearest, rounded] = [await run({}), await run({ weightRounding: "gptq" })];
  assert.ok(rounded < nearest, `noise ${rounded}, with nearest codes ${nearest}`);
});
