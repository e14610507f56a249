/**
 * Several quantizations of one model from as few passes over the samples as can be.
 *
 * @module
 */
import { checkEmittable, emitModel } from "../../tpc/emission/emit.ts";
import type { WeightCodes } from "../../tpc/emission/insert_qdq.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import type { Model } from "../../onnx/file/model.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import { rewritesFor } from "../../tpc/targets/rewrites_for.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { calibrate, type CalibrateOptions } from "../passes/calibrate.ts";
import { holdsOut } from "../passes/calibrate_here.ts";
import { calibrationKey, learningKey } from "../compare/groups.ts";
import { groupBy } from "../../core/group_by.ts";
import { sha256 } from "../../core/hash.ts";
import { numbered, type OnProgress } from "../../core/progress.ts";
import type { Sample } from "../../core/tensor.ts";
import { learnRewrites, needsData } from "../passes/learn_rewrites.ts";
import { type FloatModel, rewriteModel, serialiseFor } from "./quantize.ts";
import { roundWeights } from "../passes/round_weights.ts";
import { writeCodes } from "../rounding/codes_file.ts";
import { decide } from "../search/decide.ts";
import { writePlim } from "../statistics/plim.ts";
import type { Statistics } from "../statistics/statistics.ts";

/** One quantization to make. */
export interface Variant {
  /** What to call it. */
  readonly name: string;
  /** What the hardware can do, with the wishes for this variant. */
  readonly target: Target;
  /** `gptq`: codes of weights by second moments of their inputs, in a pass of its own; default the nearest codes. */
  readonly weightRounding?: "nearest" | "gptq";
}

/** One quantization that was made: what `quantize` makes for the same target. */
export interface QuantizedVariant extends Variant {
  /** The quantized model. */
  readonly model: Model;
  /** The same as an ONNX file. */
  readonly file: Uint8Array<ArrayBuffer>;
  /** Its weights as the file `model.onnx.data` beside it, in pieces; empty when they are in the model. */
  readonly weights: readonly Uint8Array[];
  /** The file of codes, where weights aren't rounded to the nearest ones. */
  readonly codes?: Uint8Array<ArrayBuffer>;
  /** Every decision, with its reason. */
  readonly manifest: Manifest;
  /** Position of its statistics among those of the result. */
  readonly pass: number;
}

/** What {@linkcode quantizeVariants} makes. */
export interface QuantizedVariants {
  /** In the order in which they were asked for. */
  readonly variants: readonly QuantizedVariant[];
  /** A `.plim` file for each calibration pass. */
  readonly statistics: readonly Uint8Array<ArrayBuffer>[];
}

/** A pass over the samples that is about to begin. */
export interface VariantPass {
  /**
   * `ranges` finds out how far activations reach, for rewrites; `calibrate` makes statistics; `round` gathers second
   * moments for the codes of one variant, more than once where they are many.
   */
  readonly stage: "ranges" | "calibrate" | "round";
  /** Number of the pass among those of its stage, from 1. */
  readonly number: number;
  /** Passes of this stage. */
  readonly count: number;
  /** Names of the variants that it serves. */
  readonly variants: readonly string[];
}

/** Samples of one pass, and what belongs to them. */
export interface OpenedSamples
  extends Pick<CalibrateOptions, "source" | "preprocessing" | "total"> {
  /** Consumed; cancelled when anything fails. */
  readonly samples: ReadableStream<Sample>;
}

/** What {@linkcode quantizeVariants} needs. */
export interface QuantizeVariantsOptions extends
  Pick<
    CalibrateOptions,
    "batch" | "signal" | "workers" | "startWorker" | "onNonFinite" | "onSkip"
  > {
  /** Opens the calibration samples, once for each pass, always the same ones. */
  readonly open: () => Promise<OpenedSamples>;
  /** Told before every pass. */
  readonly onPass?: (pass: VariantPass) => void;
  /** Told after every batch. */
  readonly onProgress?: OnProgress;
  /** Told when a variant is made. */
  readonly onVariant?: (name: string) => void;
}

/** A variant on its way, with the float model that it starts from. */
interface Prepared extends Variant {
  readonly float: FloatModel;
}

/**
 * Quantizes a model once for each variant. Variants that watch the same tensors of the same graph share a calibration
 * pass; each is what {@linkcode quantize} makes for its target. Memory does not grow with the number of samples; all
 * quantized models are held at once.
 *
 * @param original With or without rewrites; those of the targets replace them.
 * @throws {PlimsollError} what `quantize` throws.
 */
export async function quantizeVariants(
  original: FloatModel,
  variants: readonly Variant[],
  options: QuantizeVariantsOptions,
): Promise<QuantizedVariants> {
  checkEmittable(original.prepared);
  const prepare = rememberingRewriter(original);
  const prepared: Prepared[] = [];
  for (const variant of variants) {
    prepared.push({ ...variant, float: await prepare(rewritesFor(variant.target)) });
  }
  const learned = await learnAll(prepared, prepare, options);
  const byKey = groupBy(learned, (variant) => calibrationKey(describe(variant)));
  const groups = [...byKey.values()];
  const statistics: Uint8Array<ArrayBuffer>[] = [];
  const made = new Map<Prepared, QuantizedVariant>();
  for (const [i, group] of groups.entries()) {
    const pass = await begin("calibrate", i, groups, options);
    // One that holds samples out, if any: statistics that do serve all methods.
    const { float, target } = group.find(holdsOut) ?? group[0];
    const { prepared: model, rewrites, sha256: modelSha256 } = float;
    const result = await calibrate(pass.samples, {
      ...pass.options,
      ...{ model, rewrites, target, modelSha256 },
    });
    const file = await writePlim(result);
    const statisticsSha256 = await sha256(file);
    statistics.push(file);
    for (const variant of group) {
      options.signal?.throwIfAborted();
      const { name, target } = variant;
      const nearest = await decide({ statistics: result, statisticsSha256, target, model });
      const decided: Decided = variant.weightRounding === "gptq"
        ? await round(variant, { manifest: nearest, statistics: result }, learned, options)
        : { manifest: nearest };
      const emitted = emitModel(model, decided.manifest, decided.codes);
      const { file: bytes, weights } = serialiseFor(float, emitted);
      made.set(variant, {
        ...{ name, target, weights, manifest: decided.manifest },
        ...{ model: emitted, file: bytes, pass: i },
        ...(decided.file === undefined ? {} : { codes: decided.file }),
      });
      options.onVariant?.(name);
    }
  }
  return { variants: learned.map((variant) => made.get(variant)!), statistics };
}

/** Variants with the rewrites that need data, one pass for all that need the same. */
async function learnAll(
  prepared: readonly Prepared[],
  prepare: (rewrites: Rewrites) => Promise<FloatModel>,
  options: QuantizeVariantsOptions,
): Promise<Prepared[]> {
  const byKey = groupBy(
    prepared.filter(({ target }) => needsData(target)),
    (variant) => learningKey(describe(variant)),
  );
  const groups = [...byKey.values()];
  const learned = new Map<Prepared, FloatModel>();
  for (const [i, group] of groups.entries()) {
    const [{ float, target }] = group;
    const { samples, options: pass } = await begin("ranges", i, groups, options);
    const rewrites = await learnRewrites(
      samples,
      { ...pass, model: float.prepared, target },
      float.rewrites,
    );
    for (const variant of group) learned.set(variant, await prepare(rewrites));
  }
  return prepared.map((variant) => ({ ...variant, float: learned.get(variant) ?? variant.float }));
}

/** Decisions about a variant, with codes where weights aren't rounded to the nearest ones. */
interface Decided {
  readonly manifest: Manifest;
  readonly codes?: WeightCodes;
  /** The codes as a file. */
  readonly file?: Uint8Array<ArrayBuffer>;
}

/** Codes of a variant that is rounded by second moments. */
async function round(
  variant: Prepared,
  decided: { readonly manifest: Manifest; readonly statistics: Statistics },
  all: readonly Prepared[],
  options: QuantizeVariantsOptions,
): Promise<Decided> {
  const rounded = all.filter(({ weightRounding }) => weightRounding === "gptq");
  const index = rounded.indexOf(variant);
  const { batch, signal, onProgress } = options;
  const { manifest, codes } = await roundWeights({
    ...decided,
    reopen: async () =>
      (await begin("round", index, rounded.map((entry) => [entry]), options)).samples,
  }, {
    ...{ model: variant.float.prepared, target: variant.target, batch, signal },
    onProgress: numbered(onProgress, index + 1, rounded.length),
  });
  return { ...await writeCodes(manifest, codes), codes };
}

/** Announces a pass and opens its samples. */
async function begin(
  stage: VariantPass["stage"],
  index: number,
  groups: readonly (readonly Variant[])[],
  { open, onPass, onProgress, onVariant: _, ...rest }: QuantizeVariantsOptions,
) {
  const [number, count] = [index + 1, groups.length];
  onPass?.({ stage, number, count, variants: groups[index].map(({ name }) => name) });
  const { samples, ...opened } = await open();
  const report = numbered(onProgress, number, count);
  return { samples, options: { ...rest, ...opened, onProgress: report } };
}

function describe({ float, target }: Prepared) {
  return { outline: outlineGraph(float.prepared.graph), rewrites: float.rewrites, target };
}

/** Makes the model of each set of rewrites once. Rewrites that find nothing to do in it don't count. */
function rememberingRewriter(original: FloatModel): (rewrites: Rewrites) => Promise<FloatModel> {
  const known = new Map<string, Promise<FloatModel>>();
  const make = async (rewrites: Rewrites) => {
    const float = await rewriteModel(original, rewrites);
    return float.rewritten.length === 0 ? { ...float, rewrites: {} } : float;
  };
  return (rewrites) => {
    const key = JSON.stringify(rewrites);
    if (!known.has(key)) known.set(key, make(rewrites));
    return known.get(key)!;
  };
}
