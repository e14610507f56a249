/** Padding is no data: it leaves no trace in statistics, wherever it is and whatever it holds. */
import assert from "node:assert/strict";
import { calibrate } from "../../../pipeline/passes/calibrate.ts";
import { evaluateModels } from "../../../pipeline/evaluate/evaluate_models.ts";
import { tokenAxes } from "../../../pipeline/inference/attention_mask.ts";
import { tokenFitter } from "../../../pipeline/inference/fit_tokens.ts";
import { paddingCropper } from "../../../pipeline/inference/crop_padding.ts";
import { createSession } from "../../../pipeline/inference/default_runtime.ts";
import { modelInputs } from "../../../pipeline/inference/infer.ts";
import { quantize } from "../../../pipeline/quantize/quantize.ts";
import { writePlim } from "../../../pipeline/statistics/plim.ts";
import type { Statistics } from "../../../pipeline/statistics/statistics.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { type Model, writeModel } from "../../../onnx/file/model.ts";
import { inputsOf, type InputTensor, type Sample, type Tensor } from "../../../core/tensor.ts";
import { LOUD_ID, SENTENCES, tokenModel, tokenSamples } from "../../support/token_model.ts";

const statisticsOf = (model: Model, samples: readonly Sample[], batch?: number) =>
  calibrate(ReadableStream.from(samples), {
    model,
    batch,
    modelSha256: "ab".repeat(32),
    source: "sentences",
    target: presetTarget("default")!,
  });
const bytesOf = async (model: Model, samples: readonly Sample[], batch?: number) =>
  await writePlim(await statisticsOf(model, samples, batch));

for (
  const [where, options] of Object.entries({
    "behind": { length: 12 },
    "in front": { before: 5 },
    "at both ends": { before: 3, length: 16 },
  })
) {
  Deno.test(`padding ${where} changes no byte of the statistics`, async () => {
    const dynamic = tokenModel();
    const bare = await bytesOf(dynamic, tokenSamples(SENTENCES));
    for (const batch of [1, 4]) {
      const padded = tokenSamples(SENTENCES, { ...options, pad: LOUD_ID });
      assert.deepEqual(await bytesOf(dynamic, padded, batch), bare);
    }
  });
}

Deno.test("padding changes no byte of a model, whichever passes read and choose samples", async () => {
  const file = writeModel(tokenModel());
  const sentences = Array.from(
    { length: 40 },
    (_, i) => Array.from({ length: 1 + i * 7 % 11 }, (_, j) => 1 + (i * 31 + j * 17) % 80),
  );
  const recipes = [
    { target: "onnxruntime", exact: true, weightRounding: "gptq" },
    { target: "default", error: "auto", autoBy: "output" },
  ] as const;
  for (const recipe of recipes) {
    const made = async (samples: readonly Sample[]) => {
      const { model, manifest } = await quantize(file, samples, recipe);
      return { model, activations: manifest.activations };
    };
    const padded = tokenSamples(sentences, { before: 1, length: 13, pad: LOUD_ID });
    assert.deepEqual(await made(padded), await made(tokenSamples(sentences)));
  }
});

Deno.test("without a mask that is known as one, the same padding shows", async () => {
  const mask = "of_tokens";
  const dynamic = tokenModel({ mask });
  const bare = await statisticsOf(dynamic, tokenSamples(SENTENCES, { mask }));
  const padded = tokenSamples(SENTENCES, { length: 12, pad: LOUD_ID, mask });
  const found = await statisticsOf(dynamic, padded);
  assert.notDeepEqual(found.tensors, bare.tensors);
});

for (const batch of [1, 5, "batch"]) {
  Deno.test(`in a model of 12 positions and batch ${batch} padding is computed and doesn't count`, async () => {
    const fixed = tokenModel({ length: 12, batch });
    const quiet = await statisticsOf(fixed, tokenSamples(SENTENCES, { length: 12, pad: 1 }));
    const loud = await statisticsOf(fixed, tokenSamples(SENTENCES, { length: 12, pad: LOUD_ID }));
    assert.deepEqual([loud.tensors, loud.channels], [quiet.tensors, quiet.channels]);
    const dynamic = await statisticsOf(tokenModel(), tokenSamples(SENTENCES));
    // The columns of a single head's attention may as well be channels: zeros of padding stay there.
    const { attention: _, ...found } = counts(quiet);
    const { attention: __, ...wanted } = counts(dynamic);
    assert.deepEqual(found, wanted);
  });
}

Deno.test("a fixed number of positions fills short samples up", async () => {
  const fixed = tokenModel({ length: 12 });
  const padded = await bytesOf(fixed, tokenSamples(SENTENCES, { length: 12 }));
  assert.deepEqual(await bytesOf(fixed, tokenSamples(SENTENCES)), padded);
});

/** Elements that were counted, by tensor. */
function counts({ tensors }: Statistics): Record<string, number> {
  return Object.fromEntries(
    tensors.map(({ tensor, histogram }) => [tensor, histogram.finite]),
  );
}

Deno.test("a sample with an axis of one in front, or of float masks, is trimmed alike", () => {
  const fit = tokenFitter(modelInputs(tokenModel().graph));
  const row = { data: Float32Array.of(0, 1, 1, 0), dims: [1, 4] };
  const fitted = fit({ index: 0, id: "a", input: { input_ids: row, attention_mask: row } });
  assert.deepEqual(
    inputsOf(fitted).map(([name, { data, dims }]) => [name, [...data as Float32Array], dims]),
    [["input_ids", [1, 1], [1, 2]], ["attention_mask", [1, 1], [1, 2]]],
  );
});

Deno.test("zeros between tokens, masks of nothing, and inputs of other shapes stay", () => {
  const fit = tokenFitter(modelInputs(tokenModel().graph));
  const sample = (mask: number[], ids = mask.length) => ({
    index: 0,
    id: "a",
    input: {
      input_ids: { data: new Int32Array(ids), dims: [ids] },
      attention_mask: { data: Int32Array.from(mask), dims: [mask.length] },
    },
  });
  const lengths = (given: Sample) => inputsOf(fit(given)).map(([_, { dims }]) => dims[0]);
  assert.deepEqual(lengths(sample([1, 0, 1, 0])), [3, 3]);
  assert.deepEqual(lengths(sample([0, 0])), [2, 2]);
  // A mask that counts cached keys, too.
  assert.deepEqual(lengths(sample([1, 1, 1, 0], 2)), [2, 4]);
});

Deno.test("names of dimensions say which tokens a mask is about", () => {
  const input = (name: string, symbol: string) => ({
    name,
    shape: [null, null],
    symbols: ["batch", symbol],
  });
  const inputs = [
    input("input_ids", "s"),
    input("attention_mask", "s"),
    input("decoder_input_ids", "t"),
    input("decoder_attention_mask", "t"),
  ];
  const found = tokenAxes(inputs).map((axis) => axis.inputs.map(({ name }) => name));
  assert.deepEqual(found, [["input_ids", "attention_mask"], [
    "decoder_input_ids",
    "decoder_attention_mask",
  ]]);
  assert.deepEqual(tokenAxes([input("attention_mask", "s")]), []);
  for (const name of ["input_mask:0", "serving_default_attention_mask:0", "bert/input_mask_1:0"]) {
    assert.equal(tokenAxes([input("input_ids:0", "s"), input(name, "s")]).length, 1, name);
  }
  assert.deepEqual(tokenAxes([input("padding_mask", "s"), input("input_ids", "s")]), []);
});

Deno.test("axes of as many elements as the mask are cropped, where it is clear that they are positions", () => {
  const crop = paddingCropper(modelInputs(tokenModel({ length: 4 }).graph));
  const [sample] = tokenSamples([[5, 6, 7]], { length: 4 });
  const tensor = (...dims: number[]): Tensor => ({
    data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i),
    dims,
  });
  const shapesOf = (...tensors: Tensor[]) => {
    const outputs = new Map(tensors.map((own, i) => [`t${i}`, own]));
    const [{ outputs: found }] = crop({ batch: { samples: [sample], inputs: new Map() }, outputs });
    return [...found.values()].map(({ dims }) => dims);
  };
  // Positions × channels, as many channels as positions, heads, attention, pooled.
  assert.deepEqual(
    shapesOf(
      tensor(1, 4, 6),
      tensor(1, 4, 4),
      tensor(1, 2, 4, 3),
      tensor(1, 2, 4, 4),
      tensor(1, 6),
    ),
    [[1, 3, 6], [1, 3, 4], [1, 2, 3, 3], [1, 2, 3, 3], [1, 6]],
  );
  // Rows of positions; logits of positions; channels that are pooled, of which there are as many.
  assert.deepEqual(
    shapesOf(tensor(1, 4, 6), tensor(4, 6), tensor(1, 4)),
    [[1, 3, 6], [3, 6], [1, 3]],
  );
  assert.deepEqual(shapesOf(tensor(1, 4, 4), tensor(1, 4)), [[1, 3, 4], [1, 4]]);
  assert.deepEqual(shapesOf(tensor(1, 4)), [[1, 4]]);
  // Two heads of four channels: the last axis may be either.
  assert.deepEqual(shapesOf(tensor(1, 4, 8), tensor(1, 2, 4, 4)), [[1, 3, 8], [1, 2, 4, 4]]);
  const samples = tokenSamples([[5, 6, 7], [8, 9]], { length: 4 });
  const [first, second] = crop({
    batch: { samples, inputs: new Map() },
    outputs: new Map([["t", tensor(2, 4, 2)], ["shared", tensor(1, 4, 2)]]),
  });
  assert.deepEqual([...first.outputs.get("t")!.data], [0, 1, 2, 3, 4, 5]);
  assert.deepEqual([...second.outputs.get("t")!.data], [8, 9, 10, 11]);
  assert.deepEqual([...second.outputs.get("shared")!.data], [0, 1, 2, 3]);
});

Deno.test("an evaluation leaves outputs of padding out, where a model of fixed length computes them", async () => {
  const fixed = tokenModel({ length: 12 });
  const odd = tokenModel({ length: 12, padding: 1 });
  const samples = tokenSamples(SENTENCES, { length: 12 });
  const [_, found] = await evaluateModels(
    [{ name: "float", model: fixed }, { name: "odd", model: odd }],
    { samples: ReadableStream.from(samples) },
    {},
  );
  assert.deepEqual([found.sqnr, found.samples], [null, SENTENCES.length]);
  const run = async (own: Model) => {
    await using session = await createSession(own, { name: "a model" });
    const feeds = new Map(
      inputsOf(samples[0]).map((
        [name, { data, dims }],
      ) => [name, { data, dims: [1, ...dims] } as InputTensor]),
    );
    return (await session.run(feeds, ["y"])).get("y")!.data;
  };
  assert.notDeepEqual(await run(odd), await run(fixed));
});
