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
import { PlimsollError } from "../../core/errors.ts";
import { timed } from "../../core/timing.ts";
import { compactJson } from "../../core/canonical_json.ts";
import { sha256 } from "../../core/hash.ts";
import type { OnProgress } from "../../core/progress.ts";
import type { Sample } from "../../core/tensor.ts";
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import { checkEmittable } from "../../tpc/emission/emit.ts";
import { holdsOut, type Recipe, resolveRecipe } from "../../tpc/recipe/recipe.ts";
import { rewritesFor } from "../../tpc/targets/rewrites_for.ts";
import { defaultRuntime } from "../inference/default_runtime.ts";
import type { Runtime } from "../inference/runtime.ts";
import { calibrate, type CalibrateOptions } from "../passes/calibrate.ts";
import { readReach } from "../passes/gathering.ts";
import { learnMigration, MIGRATION_SAMPLES } from "../passes/learn_migration.ts";
import { completeRewrites, learnRewrites, needsData } from "../passes/learn_rewrites.ts";
import { keepFirst } from "../source/keep_first.ts";
import { openerOf, type SampleOpener, type Samples } from "../source/samples.ts";
import { coveredBy } from "../statistics/coverage.ts";
import { readPlim, writePlim } from "../statistics/plim.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { FrontWish, PlanWish } from "../plan/plan.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { floatReference, type Reference, VERDICT_SAMPLES } from "../verdict/verdict.ts";
import { begin, type Begun } from "./begin_pass.ts";
import { type Elsewhere, gatherElsewhere, leastElsewhere, readSome } from "./elsewhere.ts";
import {
  type FloatModel,
  type LoadOptions,
  readFloatModel,
  rewriteFloatModel,
} from "./float_model.ts";
import { type JudgedOn, makeJudged } from "./judge_variant.ts";
import { type Calibrated, makeVariant } from "./make_variant.ts";
import {
  calibrationGroups,
  learningGroups,
  migrates,
  migrationGroups,
  type Planned,
  refuseImpossible,
} from "./plan_passes.ts";
import { planFront } from "./plan_front.ts";
import { planVariant, withEverything } from "./plan_loop.ts";
import type { Quantization, RunOptions } from "./run.ts";

export type { Pass, Quantization, QuantizeEvent, RunOptions } from "./run.ts";

/** A recipe with a name for messages, of several. */
export interface NamedRecipe extends Recipe {
  /** What to call its result. */
  readonly name?: string;
  /** Whether its result is neither run nor judged: for what is compared with, and not written. */
  readonly isUnchecked?: true;
  /** What each unit is, is planned by what it costs; see `planVariant`. */
  readonly plan?: PlanWish;
  /** With `plan`: results for the points of the front instead of one; see `planFront`. Limits of the plan don't count. */
  readonly front?: FrontWish;
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
  recipe: NamedRecipe = {},
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
 * @returns One for each recipe, in their order; for one with a `front`, those of its points, one behind the other.
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
  const results = new Map<Planned, Quantization[]>();
  let judgedOn: Omit<JudgedOn, "statistics"> | undefined;
  for (const [index, group] of groups.entries()) {
    const calibrated = await calibrateGroup(group, index, groups, opener, options);
    for (const variant of group) {
      options.signal?.throwIfAborted();
      const place = variants.indexOf(variant);
      const make = (planned: Planned) =>
        makeVariant(planned, place, calibrated, variants, { opener, options });
      if (!variant.isUnchecked) {
        judgedOn ??= await timed(
          options.onTime,
          "judge",
          () => samplesToJudge(original, calibrated, options),
        );
      }
      const makeRight = async (current: Planned) =>
        variant.isUnchecked || judgedOn === undefined ? await make(current) : await makeJudged(
          current,
          make,
          { ...judgedOn, statistics: calibrated.statistics },
          options,
        );
      const made = await makePlanned(variant, makeRight, {
        calibrated,
        reference: judgedOn?.reference,
        options,
      });
      for (const result of made) await onEvent?.({ kind: "made", result });
      results.set(variant, made);
    }
  }
  return variants.flatMap((variant) => results.get(variant)!);
}

/** Makes a variant as it is, as it is planned, or as each point of the front. */
async function makePlanned(
  variant: Planned,
  make: (variant: Planned) => Promise<Quantization>,
  { calibrated, reference, options }: {
    readonly calibrated: Calibrated;
    readonly reference: Reference | undefined;
    readonly options: RunOptions;
  },
): Promise<Quantization[]> {
  const { plan: wish, front } = variant;
  if (wish === undefined) return [await make(variant)];
  const start = { variant, wish, calibrated, reference: measurable(reference) };
  if (front !== undefined) return await planFront(start, { ...front, make }, options);
  const { variant: planned, plan, sensitivity } = await planVariant(start, options);
  return [{ ...await make(planned), plan, sensitivity }];
}

/** Where no sample is left to measure models on, nothing can be planned. */
function measurable(reference: Reference | undefined): Reference {
  if (reference === undefined || reference.runs.length === 0) {
    throw new PlimsollError("data", {
      action: "planning",
      wanted: "samples to measure models on",
      found: "none",
      remedy: "Give samples, or statistics together with samples",
    });
  }
  return reference;
}

/** The float model's outputs on the samples that results are judged by; undefined where there are none. */
async function samplesToJudge(
  original: FloatModel,
  { kept }: Calibrated,
  { judgeOn, runtime, signal }: RunOptions,
): Promise<Omit<JudgedOn, "statistics"> | undefined> {
  const given = await judgeOn?.(VERDICT_SAMPLES);
  const { samples, data } = given !== undefined && given.samples.length > 0
    ? given
    : { samples: kept, data: "calibration" as const };
  if (samples.length === 0) return undefined;
  return { data, reference: await floatReference(original, { samples, runtime, signal }) };
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
): Promise<
  { statistics: Statistics; file: Uint8Array<ArrayBuffer>; kept: readonly Sample[] }
> {
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
  for (const { name = "the recipe", isUnchecked, plan, front, ...rest } of recipes) {
    const wished = plan === undefined ? rest : withEverything(rest);
    const { recipe, target } = resolveRecipe(wished);
    const float = await prepare(rewritesFor(target));
    variants.push({
      name,
      recipe,
      target,
      float,
      ...(isUnchecked && { isUnchecked }),
      ...(plan && { plan }),
      ...(front && { front }),
    });
  }
  refuseImpossible(variants, opener, options);
  const migrated = await timed(options.onTime, "learn", async () => {
    const learned = await learnAll(variants, prepare, opener, options);
    return await migrateAll(learned, prepare, opener, options);
  });
  return { variants: migrated, groups: calibrationGroups(migrated) };
}

/** Recipes with the rewrites that need data, one pass for all that need the same. */
async function learnAll(
  variants: readonly Planned[],
  prepare: (rewrites: Rewrites) => Promise<FloatModel>,
  opener: SampleOpener,
  options: RunOptions,
): Promise<Planned[]> {
  const groups = learningGroups(variants.filter(({ target }) => needsData(target)));
  return await rewriteGroups(variants, groups, learnReach, { prepare, opener, options });
}

/** Rewrites that a pass over the samples has completed. */
type LearnRewrites = (learning: {
  readonly float: FloatModel;
  readonly target: Target;
  readonly begun: Begun;
  readonly opener: SampleOpener;
  readonly options: RunOptions;
}) => Promise<Rewrites>;

/** Those that follow from how far activations reach. */
const learnReach: LearnRewrites = async ({ float, target, begun, opener, options }) => {
  const { samples, run } = begun;
  if (options.elsewhere === undefined) {
    return await learnRewrites(samples, { ...run, model: float.prepared, target }, float.rewrites);
  }
  const pass = { gathering: { kind: "reach" as const }, stage: "ranges", float, target, opener };
  const part = await gatherElsewhere(options.elsewhere, { ...pass, begun }, options);
  return completeRewrites(float.rewrites, target, readReach(part));
};

/** Scale migration, of a few samples: those are chosen elsewhere, and run here. */
const learnScales: LearnRewrites = async ({ float, target, begun, opener, options }) => {
  const { run } = begun;
  const samples = options.elsewhere === undefined ? begun.samples : await leastElsewhere(
    options.elsewhere,
    { most: MIGRATION_SAMPLES, isHeldOut: false, stage: "ranges", float, target, opener, begun },
    options,
  );
  return await learnMigration(samples, { ...run, model: float.prepared, target }, float.rewrites);
};

/** Recipes with what a pass for each group has learned; those of no group stay as they are. */
async function rewriteGroups(
  variants: readonly Planned[],
  groups: readonly (readonly Planned[])[],
  learn: LearnRewrites,
  { prepare, opener, options }: {
    readonly prepare: (rewrites: Rewrites) => Promise<FloatModel>;
    readonly opener: SampleOpener;
    readonly options: RunOptions;
  },
): Promise<Planned[]> {
  const learned = new Map<Planned, FloatModel>();
  for (const [index, group] of groups.entries()) {
    const [{ float, target }] = group;
    // All samples, whatever the shard, so that shards agree.
    const begun = await begin("ranges", index, groups, { opener, options });
    const rewrites = await learn({ float, target, begun, opener, options });
    const rewritten = await prepare(rewrites);
    for (const variant of group) learned.set(variant, rewritten);
  }
  return variants.map((variant) => {
    const float = learned.get(variant);
    return float === undefined ? variant : { ...variant, float };
  });
}

/**
 * Recipes with the scale migration that their targets want, where there is something to migrate. Samples that can be read
 * only once are left to the calibration.
 */
async function migrateAll(
  variants: readonly Planned[],
  prepare: (rewrites: Rewrites) => Promise<FloatModel>,
  opener: SampleOpener,
  options: RunOptions,
): Promise<Planned[]> {
  const wanting = variants.filter(migrates);
  if (wanting.length > 0 && opener.isOneShot) {
    await options.onEvent?.({
      kind: "note",
      text:
        "scales are not migrated: that takes another look at the samples, which can be read once",
    });
    return [...variants];
  }
  const groups = migrationGroups(wanting);
  return await rewriteGroups(variants, groups, learnScales, { prepare, opener, options });
}

/** What is kept of a calibration's samples to judge by. */
const KEPT = { samples: VERDICT_SAMPLES, bytes: 2 ** 26 };

async function calibrateGroup(
  group: readonly Planned[],
  index: number,
  groups: readonly (readonly Planned[])[],
  opener: SampleOpener,
  options: RunOptions,
): Promise<Calibrated> {
  // One that holds samples out, if any: statistics that do serve all methods.
  const { float, target } = group.find(({ target }) => holdsOut(target)) ?? group[0];
  const { onEvent, leaveOut, resume, checkpoint, workers, startWorker, room } = options;
  await onEvent?.({ kind: "prepared", float, target });
  const covered = coveredBy(resume?.data);
  const skip = (index: number) => leaveOut?.(index) || covered.has(index);
  const begun = await begin("calibrate", index, groups, { opener, options, skip });
  const { samples, run, pass, opened } = begun;
  const kept: Sample[] = [];
  const keeping = samples.pipeThrough(keepFirst(kept, KEPT));
  const own = {
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
    room,
    onNonFinite: options.onNonFinite,
    onSkip: options.onSkip,
    onTime: options.onTime,
    ...watching(options.watch?.(float, target), run.onProgress),
  };
  const statistics = options.elsewhere === undefined
    ? await calibrate(keeping, own)
    : await calibrateElsewhere(options.elsewhere);
  const file = await writePlim(statistics);
  await onEvent?.({ kind: "calibrated", statistics, file, pass });
  const { preprocessing } = opened;
  return { statistics, file, sha256: await sha256(file), preprocessing, index, kept };

  async function calibrateElsewhere(elsewhere: Elsewhere): Promise<Statistics> {
    await readSome(keeping, KEPT.samples);
    const { onNonFinite = "fail" } = options;
    const part = await gatherElsewhere(elsewhere, {
      gathering: { kind: "statistics", onNonFinite },
      stage: "calibrate",
      float,
      target,
      opener,
      begun,
      skip,
    }, options);
    return await readPlim(part, "the merged statistics");
  }
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
