/**
 * The way of a tensor, from file to manifest, top to bottom.
 *
 *     model ─► prepare ─► calibrate ◄─ samples          (onnx, pipeline/passes/calibrate.ts)
 *                             │ statistics              (pipeline/statistics)
 *                             ▼
 *     target ─────────────► decide ─► manifest          (pipeline/search, tpc/manifest.ts)
 *                                        │
 *     prepared model ─────────────────► emit ─► quantized model   (tpc/emission/emit.ts)
 *
 * @module
 */
import { checkEmittable, emitModel } from "../../tpc/emission/emit.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { calibrate, type CalibrateOptions } from "../passes/calibrate.ts";
import { sha256 } from "../../core/hash.ts";
import { chooseByOutput } from "../passes/choose_by_output.ts";
import {
  type FloatModel,
  type LoadOptions,
  readFloatModel,
  rewriteFloatModel,
  serialiseFor,
} from "./float_model.ts";
import type { OnProgress } from "../../core/progress.ts";
import type { Sample } from "../../core/tensor.ts";
import { runConstants } from "../inference/session.ts";
import { writeCodes } from "../rounding/codes_file.ts";
import { roundWeights } from "../passes/round_weights.ts";
import { decide } from "../search/decide.ts";
import { exactChoices } from "../passes/second_pass.ts";
import { writePlim } from "../statistics/plim.ts";
import type { DataCoverage } from "../statistics/statistics.ts";

export { type FloatModel, type LoadOptions, serialiseFor };

/** What {@linkcode quantize} needs. */
export interface QuantizeOptions extends
  Pick<
    CalibrateOptions,
    | ("source" | "preprocessing" | "onNonFinite" | "onSkip" | "isEnough")
    | ("resume" | "checkpoint" | "workers" | "startWorker" | "onTime")
  > {
  /** What the hardware can do. */
  readonly target: Target;
  /** Samples per inference run, by default by their size. Changes speed and memory, never a result. */
  readonly batch?: number;
  /** Number of samples to come, for progress. */
  readonly total?: number;
  /** Told after every batch. */
  readonly onProgress?: OnProgress;
  /** Stops all stages. */
  readonly signal?: AbortSignal;
  /**
   * Opens the samples that statistics cover again. When given, grids that are not powers of two are chosen by their true
   * errors in a second pass, among the best candidates of the search.
   */
  readonly reopenForExact?: (data: DataCoverage) => Promise<ReadableStream<Sample>>;
  /**
   * Opens the samples that statistics cover again. When given, weights are rounded by second moments of their inputs,
   * from another pass, and not to the nearest codes.
   */
  readonly reopenForRounding?: (data: DataCoverage) => Promise<ReadableStream<Sample>>;
  /**
   * When given, the outputs of the model on held-out samples choose the methods that the target leaves open (`auto`),
   * instead of local errors. Not together with `reopenForExact`.
   */
  readonly autoByOutput?: {
    /** Opens the samples that statistics cover again. */
    readonly reopen: (data: DataCoverage) => Promise<ReadableStream<Sample>>;
    /** Most runs of the model that it may take; default 2000. */
    readonly runs?: number;
  };
}

/** Everything that a quantization makes. */
export interface Quantization {
  /** The quantized QDQ model as an ONNX file. */
  readonly model: Uint8Array<ArrayBuffer>;
  /** Its weights as the file `model.onnx.data` beside it, in pieces; empty when they are in the model. */
  readonly weights: readonly Uint8Array[];
  /** Every decision, with its reason. */
  readonly manifest: Manifest;
  /** The file of codes, where weights aren't rounded to the nearest ones. */
  readonly codes?: Uint8Array<ArrayBuffer>;
  /** The statistics as a `.plim` file: decide again later without data or inference. */
  readonly statistics: Uint8Array<ArrayBuffer>;
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
  options: LoadOptions = {},
): Promise<FloatModel> {
  return await readFloatModel(file, name, runConstants, options);
}

/** A float model with rewrites instead of those that it has; names and hash stay. */
export async function rewriteModel(float: FloatModel, rewrites: Rewrites): Promise<FloatModel> {
  return await rewriteFloatModel(float, rewrites, runConstants);
}

/**
 * Quantizes a model: streams the samples through it once, chooses every threshold, and emits the
 * quantized model. Deterministic: the same samples give the same bytes, however they are batched or
 * ordered.
 *
 * @param samples Consumed; cancelled when anything fails.
 * @throws {PlimsollError} kinds `model`, `data`, `runtime`; and the reason of `signal` when it aborts.
 *
 * @example The demo's model and four made-up samples
 * ```ts
 * import { readFile } from "node:fs/promises";
 * import { loadFloatModel, quantize } from "./quantize.ts";
 * import { presetTarget } from "../../tpc/targets/read_target.ts";
 * import assert from "node:assert/strict";
 *
 * const float = await loadFloatModel(await readFile("data/fashion/model.onnx"), "model.onnx");
 * const samples = ReadableStream.from([1, 2, 3, 4].map((index) => ({
 *   ...{ index, id: `sample ${index}` },
 *   input: { data: new Float32Array(28 * 28).fill(index / 4), dims: [1, 28, 28] },
 * })));
 * const { model, manifest } = await quantize(float, samples, {
 *   target: presetTarget("onnxruntime")!,
 *   signal: AbortSignal.timeout(60_000),
 * });
 * assert.equal(manifest.data.samples, 4);
 * assert.ok(model.length < 200_000);
 * ```
 */
export async function quantize(
  float: FloatModel,
  samples: ReadableStream<Sample>,
  options: QuantizeOptions,
): Promise<Quantization> {
  const { target, reopenForExact, reopenForRounding, autoByOutput, ...rest } = options;
  const { prepared: model, rewrites, sha256: modelSha256 } = float;
  checkEmittable(model);
  const pass = { model, rewrites, target, ...rest };
  const statistics = await calibrate(samples, { ...pass, modelSha256 });
  const file = await writePlim(statistics);
  const choices = reopenForExact &&
    await exactChoices(statistics, await reopenForExact(statistics.data), pass);
  const input = { statistics, target, model, choices, statisticsSha256: await sha256(file) };
  const local = await decide(input);
  const nearest = autoByOutput === undefined ? local : await decide({
    ...input,
    byOutput: await chooseByOutput(statistics, local, await autoByOutput.reopen(statistics.data), {
      ...{ model, target, runs: autoByOutput.runs },
      ...{ onProgress: options.onProgress, signal: options.signal },
    }),
  });
  if (reopenForRounding === undefined) {
    const { file: quantized, weights } = serialiseFor(float, emitModel(model, nearest));
    return { model: quantized, weights, manifest: nearest, statistics: file };
  }
  const rounded = await roundWeights({
    ...{ manifest: nearest, statistics },
    reopen: () => reopenForRounding(statistics.data),
  }, pass);
  const { manifest, file: codes } = await writeCodes(rounded.manifest, rounded.codes);
  const emitted = emitModel(model, manifest, rounded.codes);
  const { file: quantized, weights } = serialiseFor(float, emitted);
  return { model: quantized, weights, manifest, codes, statistics: file };
}
