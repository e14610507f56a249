/**
 * The way of a tensor, from file to quantized model, top to bottom. Hosts open samples and keep results; all that lies
 * between is arranged here, for one recipe or many.
 *
 *     recipes ─► resolve ─► target of each                    (tpc/recipe)
 *     model ───► prepare ─► rewrite ◄─ ranges of samples      (onnx, passes/learn_rewrites.ts)
 *                              │
 *                              ▼
 *                          calibrate ◄─ samples               (passes/calibrate.ts)
 *                              │ statistics, shared by all that watch the same tensors
 *                              ▼
 *                           decide ◄─ exact errors, outputs   (search/decide.ts, passes/second_pass.ts …)
 *                              │ manifest
 *                              ▼
 *                           round ◄─ second moments           (passes/round_weights.ts)
 *                              ▼
 *                            emit ─► quantized model          (tpc/emission/emit.ts)
 *
 * @module
 */
import { compactJson } from "../../core/canonical_json.ts";
import { sha256 } from "../../core/hash.ts";
import { numbered, type OnProgress, type Progress } from "../../core/progress.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import { checkEmittable, emitModel } from "../../tpc/emission/emit.ts";
import type { WeightCodes } from "../../tpc/emission/insert_qdq.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import { holdsOut, type Recipe, resolveRecipe } from "../../tpc/recipe/recipe.ts";
import { furtherPasses } from "../../tpc/recipe/wishes.ts";
import { rewritesFor } from "../../tpc/targets/rewrites_for.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { defaultRuntime } from "../inference/default_runtime.ts";
import type { Runtime } from "../inference/runtime.ts";
import { calibrate, type CalibrateOptions } from "../passes/calibrate.ts";
import { chooseByOutput } from "../passes/choose_by_output.ts";
import { learnRewrites, needsData } from "../passes/learn_rewrites.ts";
import { roundWeights } from "../passes/round_weights.ts";
import { exactChoices } from "../passes/second_pass.ts";
import { writeCodes } from "../rounding/codes_file.ts";
import { decide } from "../search/decide.ts";
import { coveredBy } from "../statistics/coverage.ts";
import { writePlim } from "../statistics/plim.ts";
import type { Statistics } from "../statistics/statistics.ts";
import {
  type FloatModel,
  type LoadOptions,
  readFloatModel,
  rewriteFloatModel,
  serialiseFor,
} from "./float_model.ts";
import {
  calibrationGroups,
  learningGroups,
  type Planned,
  refuseImpossible,
} from "./plan_passes.ts";
import {
  type OpenedSamples,
  openerOf,
  type SampleOpener,
  type Samples,
} from "../source/samples.ts";

/** A recipe with a name for messages, of several. */
export interface NamedRecipe extends Recipe {
  /** What to call its result. */
  readonly name?: string;
}

/** A pass over the samples that is about to begin. */
export interface Pass {
  /**
   * `ranges` finds out how far activations reach, for rewrites; `calibrate` makes statistics; `exact` sums true errors of
   * the best candidates; `output` reads held-out samples; `round` gathers second moments, more than once where they are
   * many.
   */
  readonly stage: "ranges" | "calibrate" | "exact" | "output" | "round";
  /** Number of the pass among those of its stage, from 1. */
  readonly number: number;
  /** Passes of this stage. */
  readonly count: number;
  /** Names of the results that it serves. */
  readonly variants: readonly string[];
}

/** What happens on the way; a promise that is given back is waited for. */
export type QuantizeEvent =
  /** A pass begins. */
  | { readonly kind: "pass"; readonly pass: Pass }
  /** After every batch. */
  | { readonly kind: "progress"; readonly progress: Progress }
  /** The model has all its rewrites, and calibration begins. */
  | { readonly kind: "prepared"; readonly float: FloatModel; readonly target: Target }
  /** Statistics are whole: what fails later can begin with them. */
  | {
    readonly kind: "calibrated";
    readonly statistics: Statistics;
    readonly file: Uint8Array<ArrayBuffer>;
    readonly pass: Pass;
  }
  /** A result is ready. */
  | { readonly kind: "made"; readonly result: Quantization };

/** How a quantization runs. None of it changes a result. */
export interface RunOptions extends
  Pick<
    CalibrateOptions,
    "batch" | "signal" | "workers" | "startWorker" | "onNonFinite" | "onSkip" | "onTime"
  > {
  /** Where models run; the default runtime when absent. Workers have their own. */
  readonly runtime?: Runtime;
  /** Told what happens. */
  readonly onEvent?: (event: QuantizeEvent) => void | Promise<void>;
  /** Statistics of an earlier run of the calibration, where there is one: its samples are passed over. */
  readonly resume?: Statistics;
  /** Where statistics so far are kept, in case the run is killed. */
  readonly checkpoint?: CalibrateOptions["checkpoint"];
  /** Samples of other shards: calibration passes over them. */
  readonly leaveOut?: (index: number) => boolean;
  /** Looks at statistics while they grow; see `isEnough` of `calibrate`. */
  readonly watch?: (
    float: FloatModel,
    target: Target,
  ) => Pick<CalibrateOptions, "isEnough" | "onProgress">;
}

/** Everything that a quantization makes. */
export interface Quantization {
  /** Name of its recipe. */
  readonly name: string;
  /** The recipe, with the whole target in it; the manifest carries it. */
  readonly recipe: Recipe;
  /** The target with the recipe's wishes. */
  readonly target: Target;
  /** The float model with the rewrites that the recipe wants. */
  readonly float: FloatModel;
  /** The quantized QDQ model as an ONNX file. */
  readonly model: Uint8Array<ArrayBuffer>;
  /** Its weights as the file `model.onnx.data` beside it, in pieces; empty when they are in the model. */
  readonly weights: readonly Uint8Array[];
  /** The same model as a value. */
  readonly emitted: Model;
  /** Every decision, with its reason. */
  readonly manifest: Manifest;
  /** The file of codes, where weights aren't rounded to the nearest ones. */
  readonly codes?: Uint8Array<ArrayBuffer>;
  /** The statistics as a `.plim` file: decide again later without data or inference. */
  readonly statistics: Uint8Array<ArrayBuffer>;
  /** Number of its calibration pass, from 0. */
  readonly pass: number;
}

/**
 * Reads an ONNX file and prepares it.
 *
 * @param name How error messages call the file.
 * @throws {PlimsollError} kinds `input` and `model`.
 */
export async function loadFloatModel(
  file: Uint8Array,
  name: string,
  { runtime = defaultRuntime(), ...options }: LoadOptions & { readonly runtime?: Runtime } = {},
): Promise<FloatModel> {
  return await readFloatModel(file, name, runtime.runConstants, options);
}

/** A float model with rewrites instead of those that it has; names and hash stay. */
export async function rewriteModel(
  float: FloatModel,
  rewrites: Rewrites,
  runtime = defaultRuntime(),
): Promise<FloatModel> {
  return await rewriteFloatModel(float, rewrites, runtime.runConstants);
}

/**
 * Quantizes a model: streams the samples through it, chooses every threshold, and emits the quantized model.
 * Deterministic: the same samples give the same bytes, however they are batched or ordered.
 *
 * @param model An ONNX file, or what `loadFloatModel` made of one that has weights beside it.
 * @param samples Read once, or once for every pass that the recipe takes.
 * @throws {PlimsollError} kinds `usage` (wishes that contradict each other, or that samples can't give that are read
 * once), `target`, `model`, `data`, `runtime`; and the reason of `signal` when it aborts.
 *
 * @example The demo's model and four made-up samples
 * ```ts
 * import { readFile } from "node:fs/promises";
 * import { quantize } from "./quantize.ts";
 * import assert from "node:assert/strict";
 *
 * const samples = [1, 2, 3, 4].map((i) => ({
 *   input: { data: new Float32Array(28 * 28).fill(i / 4), dims: [1, 28, 28] },
 * }));
 * const file = await readFile("data/fashion/model.onnx");
 * const { model, manifest } = await quantize(file, samples, { target: "onnxruntime" }, {
 *   signal: AbortSignal.timeout(60_000),
 * });
 * assert.equal(manifest.data.samples, 4);
 * assert.ok(model.length < 200_000);
 * ```
 */
export async function quantize(
  model: Uint8Array | FloatModel,
  samples: Samples,
  recipe: Recipe = {},
  options: RunOptions = {},
): Promise<Quantization> {
  const opener = openerOf(samples);
  try {
    const quantized = recipe.requantize ? "dequantize" : "refuse";
    const float = model instanceof Uint8Array
      ? await loadFloatModel(model, "the model", { quantized, runtime: options.runtime })
      : model;
    const [result] = await quantizeAll(float, [recipe], opener, options);
    return result;
  } catch (error) {
    await letGo(opener, error);
    throw error;
  }
}

/** Before a pass began, nothing else tells a stream that nobody wants it. */
async function letGo(opener: SampleOpener, reason: unknown): Promise<void> {
  if (!opener.isOneShot) return;
  const { samples } = await opener.open();
  if (!samples.locked) await samples.cancel(reason).catch(() => {});
}

/**
 * Quantizes a model once for each recipe, from as few passes as can be: recipes that watch the same tensors of the same
 * graph share a calibration, and each gets what it would get alone. Memory does not grow with the number of samples;
 * results are handed out by `onEvent` as soon as they are ready.
 *
 * @param original With or without rewrites; those that the recipes want replace them.
 * @param recipes At least one; `name` tells them apart.
 * @throws {PlimsollError} what {@linkcode quantize} throws.
 */
export async function quantizeAll(
  original: FloatModel,
  recipes: readonly NamedRecipe[],
  opener: SampleOpener,
  options: RunOptions = {},
): Promise<Quantization[]> {
  checkEmittable(original.prepared);
  const { variants, groups } = await prepareAll(original, recipes, opener, options);
  const { onEvent } = options;
  const made = new Map<Planned, Quantization>();
  for (const [index, group] of groups.entries()) {
    const calibrated = await calibrateGroup(group, index, groups, opener, options);
    for (const variant of group) {
      options.signal?.throwIfAborted();
      const result = await finish(variant, calibrated, variants, opener, options);
      await onEvent?.({ kind: "made", result });
      made.set(variant, result);
    }
  }
  return variants.map((variant) => made.get(variant)!);
}

/**
 * The first half of {@linkcode quantize}: statistics alone.
 *
 * @throws {PlimsollError} what {@linkcode quantize} throws.
 */
export async function calibrateFor(
  original: FloatModel,
  recipe: Recipe,
  opener: SampleOpener,
  options: RunOptions = {},
): Promise<{ statistics: Statistics; file: Uint8Array<ArrayBuffer> }> {
  const { groups } = await prepareAll(original, [recipe], opener, options);
  return await calibrateGroup(groups[0], 0, groups, opener, options);
}

/** Resolves the recipes, refuses what one-shot samples can't give, and makes the float model of each. */
async function prepareAll(
  original: FloatModel,
  recipes: readonly NamedRecipe[],
  opener: SampleOpener,
  options: RunOptions,
): Promise<{ variants: Planned[]; groups: Planned[][] }> {
  const prepare = rememberingRewriter(original, options.runtime);
  const variants: Planned[] = [];
  for (const { name = "the recipe", ...wished } of recipes) {
    const { recipe, target } = resolveRecipe(wished);
    variants.push({ name, recipe, target, float: await prepare(rewritesFor(target)) });
  }
  refuseImpossible(variants, opener, options);
  const learned = await learnAll(variants, prepare, opener, options);
  return { variants: learned, groups: calibrationGroups(learned) };
}

/** Recipes with the rewrites that need data, one pass for all that need the same. */
async function learnAll(
  variants: readonly Planned[],
  prepare: (rewrites: Rewrites) => Promise<FloatModel>,
  opener: SampleOpener,
  options: RunOptions,
): Promise<Planned[]> {
  const groups = learningGroups(variants.filter(({ target }) => needsData(target)));
  const learned = new Map<Planned, FloatModel>();
  for (const [index, group] of groups.entries()) {
    const [{ float, target }] = group;
    // All samples, whatever the shard, so that shards agree.
    const { samples, run } = await begin("ranges", index, groups, { opener, options });
    const rewrites = await learnRewrites(
      samples,
      { ...run, model: float.prepared, target },
      float.rewrites,
    );
    const rewritten = await prepare(rewrites);
    for (const variant of group) learned.set(variant, rewritten);
  }
  return variants.map((variant) => {
    const float = learned.get(variant);
    return float === undefined ? variant : { ...variant, float };
  });
}

/** What a calibration pass gives to all that share it. */
interface Calibrated {
  readonly statistics: Statistics;
  readonly file: Uint8Array<ArrayBuffer>;
  readonly sha256: string;
  readonly preprocessing: OpenedSamples["preprocessing"];
  /** Number of the pass, from 0. */
  readonly index: number;
}

async function calibrateGroup(
  group: readonly Planned[],
  index: number,
  groups: readonly (readonly Planned[])[],
  opener: SampleOpener,
  options: RunOptions,
): Promise<Calibrated> {
  // One that holds samples out, if any: statistics that do serve all methods.
  const { float, target } = group.find(({ target }) => holdsOut(target)) ?? group[0];
  const { onEvent, leaveOut, resume, checkpoint, workers, startWorker } = options;
  await onEvent?.({ kind: "prepared", float, target });
  const covered = coveredBy(resume?.data);
  const skip = (index: number) => leaveOut?.(index) || covered.has(index);
  const { samples, run, pass, opened } = await begin("calibrate", index, groups, {
    opener,
    options,
    skip,
  });
  const statistics = await calibrate(samples, {
    ...run,
    model: float.prepared,
    rewrites: float.rewrites,
    target,
    modelSha256: float.sha256,
    source: opened.source,
    preprocessing: opened.preprocessing && await sha256(compactJson(opened.preprocessing)),
    resume,
    checkpoint,
    workers,
    startWorker,
    onNonFinite: options.onNonFinite,
    onSkip: options.onSkip,
    onTime: options.onTime,
    ...watching(options.watch?.(float, target), run.onProgress),
  });
  const file = await writePlim(statistics);
  await onEvent?.({ kind: "calibrated", statistics, file, pass });
  const { preprocessing } = opened;
  return { statistics, file, sha256: await sha256(file), preprocessing, index };
}

/** What watches statistics hears of progress first. */
function watching(
  watch: ReturnType<NonNullable<RunOptions["watch"]>> | undefined,
  onProgress: OnProgress | undefined,
): Pick<CalibrateOptions, "isEnough" | "onProgress"> {
  if (watch === undefined) return { onProgress };
  return {
    ...(watch.isEnough && { isEnough: watch.isEnough }),
    onProgress: watch.onProgress ?? onProgress,
  };
}

/** From statistics to the quantized model, with the further passes that the recipe takes. */
async function finish(
  variant: Planned,
  calibrated: Calibrated,
  variants: readonly Planned[],
  opener: SampleOpener,
  options: RunOptions,
): Promise<Quantization> {
  const { name, recipe: wished, target, float } = variant;
  const { statistics, file, sha256: statisticsSha256, preprocessing, index } = calibrated;
  const recipe = preprocessing === undefined ? wished : { ...wished, preprocessing };
  const { prepared: model } = float;
  const covered = coveredBy(statistics.data);
  /** The samples that the statistics cover, once more. */
  const again = async (stage: Pass["stage"], takers: readonly Planned[]) =>
    await begin(stage, takers.indexOf(variant), takers.map((taker) => [taker]), {
      opener,
      options,
      skip: (index: number) => !covered.has(index),
    });
  const takers = (stage: Pass["stage"]) =>
    variants.filter((other) => furtherPasses(other.recipe).some((pass) => pass === stage));
  const takes = (stage: Pass["stage"]) => takers(stage).includes(variant);

  const input = { statistics, statisticsSha256, target, model, recipe };
  const choices = takes("exact") ? await exact() : undefined;
  const local = await decide({ ...input, choices });
  const nearest = takes("output") ? await decide({ ...input, byOutput: await output() }) : local;
  const { manifest, codes, codesFile } = takes("round") ? await round() : {
    manifest: nearest,
    codes: undefined,
    codesFile: undefined,
  };
  const emitted = emitModel(model, manifest, codes);
  const { file: bytes, weights } = serialiseFor(float, emitted);
  return {
    name,
    recipe,
    target,
    float,
    emitted,
    manifest,
    weights,
    model: bytes,
    statistics: file,
    pass: index,
    ...(codesFile === undefined ? {} : { codes: codesFile }),
  };

  async function exact() {
    const { samples, run } = await again("exact", takers("exact"));
    return await exactChoices(statistics, samples, { ...run, model, target });
  }

  async function output() {
    const { samples, run } = await again("output", takers("output"));
    return await chooseByOutput(statistics, local, samples, {
      ...run,
      model,
      target,
      runs: wished.autoRuns,
    });
  }

  async function round() {
    const { batch, signal, runtime } = options;
    const all = takers("round");
    const onProgress = numbered(progressOf(options), all.indexOf(variant) + 1, all.length);
    const reopen = async () => (await again("round", all)).samples;
    const rounded = await roundWeights(
      { manifest: nearest, statistics, reopen },
      { model, target, batch, signal, runtime, onProgress },
    );
    const { manifest, file: codesFile } = await writeCodes(rounded.manifest, rounded.codes);
    return { manifest, codes: rounded.codes as WeightCodes, codesFile };
  }
}

/** Announces a pass and opens its samples. */
async function begin(
  stage: Pass["stage"],
  index: number,
  groups: readonly (readonly Planned[])[],
  { opener, options, skip }: {
    readonly opener: SampleOpener;
    readonly options: RunOptions;
    readonly skip?: (index: number) => boolean;
  },
) {
  const [number, count] = [index + 1, groups.length];
  const pass: Pass = { stage, number, count, variants: groups[index].map(({ name }) => name) };
  const { batch, signal, runtime, onEvent } = options;
  await onEvent?.({ kind: "pass", pass });
  const opened = await opener.open(skip);
  const onProgress = numbered(progressOf(options), number, count);
  const total = countLeft(opened.count, skip);
  return {
    samples: opened.samples,
    opened,
    pass,
    run: { batch, signal, runtime, onProgress, total },
  };
}

/** Samples of `count` that aren't skipped. */
function countLeft(
  count: number | undefined,
  skip: ((index: number) => boolean) | undefined,
): number | undefined {
  if (count === undefined || skip === undefined) return count;
  let left = 0;
  for (let index = 0; index < count; index++) if (!skip(index)) left++;
  return left;
}

function progressOf({ onEvent }: RunOptions): OnProgress | undefined {
  return onEvent && ((progress) => void onEvent({ kind: "progress", progress }));
}

/** Makes the model of each set of rewrites once. */
function rememberingRewriter(
  original: FloatModel,
  runtime: Runtime | undefined,
): (rewrites: Rewrites) => Promise<FloatModel> {
  const known = new Map<string, Promise<FloatModel>>();
  return (rewrites) => {
    const key = JSON.stringify(rewrites);
    if (!known.has(key)) known.set(key, rewriteModel(original, rewrites, runtime));
    return known.get(key)!;
  };
}
