/** Files between the steps: targets, recipes, statistics, manifests, codes, evaluations, diagnoses. */
import { PlimsollError } from "../../../core/errors.ts";
import { canonicalJson } from "../../../core/canonical_json.ts";
import { parseJson } from "../../../core/parse_json.ts";
import { readFloatModel } from "../../../pipeline/quantize/float_model.ts";
import { runConstants } from "../../../pipeline/inference/default_runtime.ts";
import { parseDiagnosis, parseEvaluation } from "../../../pipeline/report/page/read.ts";
import { reportPage } from "../../../pipeline/report/page/render.ts";
import { statisticsReport } from "../../../pipeline/report/inspection.ts";
import { targetReport } from "../../../pipeline/report/targets.ts";
import {
  activationFields,
  thresholdReport,
  weightFields,
} from "../../../pipeline/report/thresholds.ts";
import { readCodes } from "../../../pipeline/rounding/codes_file.ts";
import { decideFromStatistics } from "../../../pipeline/search/decide_from_statistics.ts";
import { decideWeights } from "../../../pipeline/search/decide_weights.ts";
import { mergeStatistics } from "../../../pipeline/statistics/merge_statistics.ts";
import { readPlim, writePlim } from "../../../pipeline/statistics/plim.ts";
import { emitModel } from "../../../tpc/emission/emit.ts";
import { statically } from "../../../tpc/exporters/computed_otherwise.ts";
import { EXPORTERS } from "../../../tpc/exporters/exporters.ts";
import { innerTensors } from "../../../tpc/exporters/inner_tensors.ts";
import { parseManifest } from "../../../tpc/manifest.ts";
import { parsePreprocessing } from "../../../tpc/recipe/preprocessing.ts";
import { parseRecipe, resolveRecipe } from "../../../tpc/recipe/recipe.ts";
import { presetTarget, readTarget, TARGET_NAMES } from "../../../tpc/targets/read_target.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { writeModel } from "../../../onnx/file/model.ts";
import { preprocessingFrom } from "../../../pipeline/source/preprocessor_config.ts";
import { loadTokenizer } from "../../../pipeline/source/text_inputs.ts";
import type { Chance } from "../chance.ts";
import { concat } from "../containers.ts";
import type { Kind, Kinds } from "../kind.ts";
import { jsonBytes, mutateBytes, mutateJson } from "../mutate.ts";
import { convolutional, quantized, transforming } from "../seeds.ts";
import { wordPieceFile } from "../../support/word_piece.ts";

/** JSON values mutated as trees, now and then as text. */
function jsonMaker(seeds: readonly unknown[]) {
  return (chance: Chance): Uint8Array => {
    const seed = chance.pick(seeds);
    return chance.happens(0.9)
      ? jsonBytes(mutateJson(chance, seed))
      : mutateBytes(chance, jsonBytes(seed));
  };
}

const read = (bytes: Uint8Array) => parseJson(new TextDecoder().decode(bytes), "f");

/** Keys and elements of a JSON file taken out one after the other. */
function* smallerJson(bytes: Uint8Array): Iterable<Uint8Array> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return;
  }
  function* without(tree: unknown): Iterable<unknown> {
    if (typeof tree !== "object" || tree === null) return;
    for (const key of Object.keys(tree)) {
      const rest = Array.isArray(tree)
        ? tree.filter((_, i) => i !== Number(key))
        : Object.fromEntries(Object.entries(tree).filter(([other]) => other !== key));
      yield rest;
      for (const inner of without((tree as Record<string, unknown>)[key])) {
        yield Array.isArray(tree) ? tree.with(Number(key), inner) : { ...tree, [key]: inner };
      }
    }
  }
  for (const smaller of without(value)) yield jsonBytes(smaller);
}

/** A statistics file with another header or other bins, and the right checksum. */
async function rehash(body: Uint8Array): Promise<Uint8Array> {
  const hash = await crypto.subtle.digest("SHA-256", body as BufferSource);
  return concat([body, new Uint8Array(hash)]);
}

/** Statistics without their checksum, which `run` puts there. */
function plimMaker(files: readonly Uint8Array[]) {
  return (chance: Chance): Uint8Array => {
    const file = chance.pick(files);
    const body = file.slice(0, -32);
    const view = new DataView(body.buffer);
    const end = 16 + view.getUint32(12, true);
    if (chance.happens(0.3)) return mutateBytes(chance, body, chance.happens(0.7) ? end : 0);
    const header = JSON.parse(new TextDecoder().decode(body.subarray(16, end)));
    // The outline alone leaves the numbers of bins and bytes right, so that what follows reading is reached.
    const text = jsonBytes(
      chance.happens(0.5)
        ? { ...header, outline: mutateJson(chance, header.outline) }
        : mutateJson(chance, header),
    );
    const prefix = body.slice(0, 16);
    new DataView(prefix.buffer).setUint32(12, text.length, true);
    const rest = body.subarray(end);
    return concat([prefix, text, chance.happens(0.1) ? mutateBytes(chance, rest) : rest]);
  };
}

const FULL_TARGETS = TARGET_NAMES.map((name) => presetTarget(name)!);

/** Kinds of decisions. */
export const DECISIONS: Kinds = {
  target: (): Kind => {
    const outlines = [convolutional(), transforming()].map(({ graph }) => outlineGraph(graph));
    const golden = new URL("../../tpc/golden/mct/", import.meta.url);
    const mct = [...Deno.readDirSync(golden)].filter(({ name }) => name.endsWith(".json"))
      .map(({ name }) => JSON.parse(Deno.readTextFileSync(new URL(name, golden))));
    return {
      ending: "json",
      make: jsonMaker([...FULL_TARGETS, ...FULL_TARGETS, ...mct]),
      run: (bytes) => {
        const { target } = readTarget(read(bytes), "t");
        targetReport(target);
        for (const outline of outlines) resolve(outline, target);
      },
      smaller: smallerJson,
    };
  },
  recipe: (): Kind => {
    const outline = outlineGraph(convolutional().graph);
    return {
      ending: "json",
      make: jsonMaker([
        { target: "onnxruntime", error: "kl", bits: 7, weightBits: 4, equalize: true },
        {
          target: FULL_TARGETS[0],
          overrides: [
            { match: { node: "Conv*" }, activation: { bits: 16 } },
            { match: { tensor: "x", op: "Conv" }, quantize: false },
            { match: { node: "/c[12]/" }, weight: { bits: 4, granularity: "tensor" } },
          ],
        },
        { target: "default", weightOnly: "int4", zThreshold: 3, preprocessing: { scale: 2 } },
      ]),
      run: (bytes) => {
        const { target } = resolveRecipe(parseRecipe(read(bytes), "r"));
        resolve(outline, target);
      },
      smaller: smallerJson,
    };
  },
  preprocessing: (): Kind => ({
    ending: "json",
    make: jsonMaker([
      {
        scale: 0.5,
        mean: [1, 2, 3],
        std: [1, 2, 3],
        resize: { shortest: 8 },
        crop: { width: 4, height: 4 },
      },
      {
        do_resize: true,
        size: { height: 8, width: 8 },
        do_normalize: true,
        image_mean: [0.5],
        image_std: [0.5],
      },
      {
        feature_extractor_type: "CLIPFeatureExtractor",
        size: 224,
        crop_size: 224,
        do_center_crop: true,
      },
    ]),
    run: (bytes) => {
      const value = read(bytes);
      try {
        preprocessingFrom(value, "p");
      } finally {
        parsePreprocessing(value, "p");
      }
    },
    smaller: smallerJson,
  }),
  tokenizer: (): Kind => ({
    ending: "json",
    make: (chance) =>
      jsonBytes({
        file: mutateJson(chance, wordPieceFile()),
        config: chance.happens(0.5)
          ? mutateJson(chance, { model_max_length: 8, pad_token: "[PAD]", truncation_side: "left" })
          : {},
      }),
    run: async (bytes) => {
      const { file, config } = JSON.parse(new TextDecoder().decode(bytes));
      const tokenize = await loadTokenizer(file, { config });
      await tokenize({ text: "the ship, a line?", pair: "low tide" }, "a");
      await tokenize({ text: "" }, "b");
    },
    smaller: smallerJson,
  }),
  statistics: async (): Promise<Kind> => {
    const seeds = await Promise.all(
      [{ target: "onnxruntime" }, { target: "default", error: "auto" as const }].map(quantized),
    );
    const [seed] = seeds;
    const other = await readPlim(seed.statistics, "s");
    return {
      ending: "plim",
      make: plimMaker(seeds.map(({ statistics }) => statistics)),
      run: async (bytes) => {
        const statistics = await readPlim(await rehash(bytes), "s");
        await writePlim(statistics);
        const target = TARGET_NAMES[bytes.length % TARGET_NAMES.length];
        const resolved = resolveRecipe({ target });
        statisticsReport(statistics);
        const manifest = await decideFromStatistics({
          statistics,
          statisticsSha256: "0".repeat(64),
          resolved,
        });
        reportPage({ title: "t", manifest, statistics });
        await writePlim(mergeStatistics([statistics, statistics].map((part, i) => ({
          ...part,
          data: { ...part.data, sources: i === 0 ? part.data.sources : [] },
        }))));
        if (bytes.length % 2 === 0) mergeStatistics([other, statistics]);
      },
    };
  },
  manifest: async (): Promise<Kind> => {
    const seeds = await Promise.all([
      { target: "onnxruntime" },
      { target: "default" },
      { target: "onnxruntime", activation: "dynamic" as const },
      { target: "imx500" },
      { target: "onnxruntime", weightRounding: "gptq" as const },
    ].map(quantized));
    const float = await readFloatModel(writeModel(convolutional()), "m", runConstants);
    const statistics = await readPlim(seeds[0].statistics, "s");
    return {
      ending: "json",
      make: jsonMaker(seeds.map(({ manifest }) => manifest)),
      run: async (bytes) => {
        const manifest = parseManifest(read(bytes), "m");
        canonicalJson(manifest);
        thresholdReport(manifest, {});
        manifest.activations.forEach(activationFields);
        manifest.weights.forEach(weightFields);
        const attempts = [
          async () => {
            const { prepared } = await readFloatModel(
              writeModel(convolutional()),
              "m",
              runConstants,
              {
                rewrites: manifest.rewrites,
              },
            );
            emitModel(prepared, decideWeights(manifest, prepared));
          },
          () => {
            // Slow, since what other methods would choose is searched.
            if (bytes.length % 8 !== 0) return;
            const activations = manifest.activations.slice(0, 2);
            reportPage({ title: "t", manifest: { ...manifest, activations }, statistics });
          },
          () => {
            const { weights } = statically(manifest);
            const inner = innerTensors(manifest.activations, float.prepared.graph);
            for (const { write } of Object.values(EXPORTERS)) {
              write({ ...manifest, weights, inner });
            }
          },
        ];
        // Each is a way of its own: what refuses one says nothing of the others.
        const failures: unknown[] = [];
        for (const attempt of attempts) {
          try {
            await attempt();
          } catch (error) {
            failures.push(error);
          }
        }
        const foreign = failures.find((error) => !(error instanceof PlimsollError));
        if (failures.length > 0) throw foreign ?? failures[0];
      },
      smaller: smallerJson,
    };
  },
  codes: async (): Promise<Kind> => {
    const { manifest, codes, float } = await quantized({
      target: "onnxruntime",
      weightRounding: "gptq",
    });
    return {
      ending: "bin",
      make: (chance) => mutateBytes(chance, codes!),
      run: async (bytes) => {
        const hash = [
          ...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource)),
        ]
          .map((byte) => byte.toString(16).padStart(2, "0")).join("");
        const changed = { ...manifest, codes: { sha256: hash } };
        const model = float.prepared;
        const found = await readCodes(bytes, { manifest: changed, model, name: "codes.bin" });
        emitModel(model, decideWeights(changed, model), found);
      },
    };
  },
  evaluation: async (): Promise<Kind> => {
    const { manifest: whole, statistics: file } = await quantized();
    const statistics = await readPlim(file, "s");
    // Few, since what other methods would choose is searched for each.
    const manifest = { ...whole, activations: whole.activations.slice(0, 1) };
    const evaluation = {
      ...{ name: "float", samples: 8, top1: 0.5, top5: 1, loss: 0.2, agreement: 1, sqnr: null },
      ...{ cosine: 1, outputs: [{ output: "y", sqnr: 20, cosine: 1, kind: "classes" }] },
    };
    const error = { sqnr: 20, cosine: 0.9, maxAbs: 0.1 };
    const diagnosis = {
      ...{ schemaVersion: 1, samples: 8, data: "calibration", output: { sqnr: 20 } },
      tensors: manifest.activations.map(({ tensor }) => ({
        tensor,
        accumulated: error,
        local: error,
      })),
      remedies: {
        tried: [{
          ...{ tensor: "x", change: "16 bits", sqnr: 21, gain: 1, agreement: 1, top1: null },
        }],
      },
    };
    const compared = {
      evaluation,
      bytes: 100,
      againstFloat: { difference: 0, interval: [-0.1, 0.1] },
    };
    return {
      ending: "json",
      make: jsonMaker([
        { models: [evaluation, { ...evaluation, name: "mse" }] },
        { float: compared, variants: [compared] },
        diagnosis,
        diagnosis,
      ]),
      run: (bytes) => {
        const value = read(bytes);
        if (typeof value === "object" && value !== null && "schemaVersion" in value) {
          const parsed = parseDiagnosis(value, "d");
          reportPage({ title: "t", manifest, statistics, diagnosis: parsed });
          return;
        }
        reportPage({ title: "t", manifest, statistics, evaluation: parseEvaluation(value, "e") });
      },
      smaller: smallerJson,
    };
  },
};
