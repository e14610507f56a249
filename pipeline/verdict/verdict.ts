/**
 * The verdict on a quantized model: whether it still does what the network is for, and what lost it if not. Plain JSON:
 * `verdict.json`, part of reports and the summary; no part of the manifest, which is what was decided before.
 *
 * @module
 */
import type { Batch, InferredBatch, InputTensor, Sample, Tensor } from "../../core/tensor.ts";
import { type Model, weightBytes } from "../../onnx/file/model.ts";
import { streamOf } from "../../core/stream_of.ts";
import { figuresOfRuns, type OutputFigures } from "../evaluate/output_figures.ts";
import { createSession } from "../inference/default_runtime.ts";
import { feedsFor, fixedBatch, modelInputs } from "../inference/infer.ts";
import { paddingCropper } from "../inference/crop_padding.ts";
import { tokenFitter } from "../inference/fit_tokens.ts";
import type { Runtime } from "../inference/runtime.ts";
import { batchSamples } from "../source/batches.ts";
import { checkModel, type CheckRun, type Fault } from "./check_model.ts";
import { type Limits, type Loss, lossesOf } from "./limits.ts";

/** What became of the outputs. */
export interface Verdict {
  /** Samples that were compared. */
  readonly samples: number;
  /** Where they come from: kept out of the calibration, or among its samples. */
  readonly data: "held out" | "calibration" | "evaluation";
  /** Every output of the model. */
  readonly outputs: readonly OutputFigures[];
  /** What was lost beyond the limits; empty when the model holds. */
  readonly lost: readonly Loss[];
  /** What is odd about the data; it changes no verdict. */
  readonly notes: readonly string[];
}

/** Most samples that a verdict is made of; fewer of a large model. */
export const VERDICT_SAMPLES = 16;
/**
 * Samples of a verdict, and runs that every level of optimizations is tried with, by the bytes of the float model's
 * weights: large models take long, and the check shall cost no more than a tenth of the quantization.
 */
const SIZES = [
  { bytes: 12 * 2 ** 20, samples: VERDICT_SAMPLES, levelRuns: 8 },
  { bytes: 128 * 2 ** 20, samples: 8, levelRuns: 2 },
  { bytes: Infinity, samples: 4, levelRuns: 1 },
];

/** What {@linkcode judgeModel} needs beside the float model's outputs. */
export interface JudgeOptions {
  readonly data: Verdict["data"];
  readonly limits: Limits;
  readonly runtime?: Runtime;
  readonly signal?: AbortSignal;
}

/** A run with the samples that are in it. */
interface JudgedRun extends CheckRun {
  readonly batch: Batch;
}

/** Outputs of the float model on the samples of a verdict: made once for several quantizations of it. */
export interface Reference {
  readonly runs: readonly JudgedRun[];
  readonly outputs: readonly ReadonlyMap<string, Tensor>[];
  /** Runs that every level of optimizations is tried with. */
  readonly levelRuns: number;
  /** Takes what is computed of padding out of a batch: nobody calibrated it, and nobody reads it. */
  readonly crop: (batch: InferredBatch) => InferredBatch[];
}

/** Runs the float model on the first samples, as many as its size allows. */
export async function floatReference(
  { original }: { readonly original: Model },
  { samples, runtime, signal }:
    & { readonly samples: readonly Sample[] }
    & Pick<JudgeOptions, "runtime" | "signal">,
): Promise<Reference> {
  const inputs = modelInputs(original.graph);
  const size = fixedBatch(inputs) ?? 1;
  const bytes = weightBytes(original);
  const most = SIZES.find((entry) => bytes <= entry.bytes)!;
  const batches = streamOf(samples.slice(0, Math.max(size, most.samples)))
    .pipeThrough(batchSamples(size, tokenFitter(inputs)));
  const runs: JudgedRun[] = [];
  const reader = batches.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    // A model of a fixed batch takes whole batches only.
    if (done || value.samples.length < size && runs.length > 0) break;
    runs.push({
      feeds: feedsFor(value, inputs) as ReadonlyMap<string, InputTensor>,
      samples: value.samples.length,
      batch: value,
    });
  }
  await reader.cancel();
  await using session = await createSession(original, { name: "the float model", runtime });
  const outputs: Map<string, Tensor>[] = [];
  for (const { feeds } of runs) {
    signal?.throwIfAborted();
    outputs.push(await session.run(feeds, session.outputs));
  }
  return finiteRuns({
    runs,
    outputs,
    levelRuns: most.levelRuns,
    crop: paddingCropper(inputs),
  });
}

/**
 * Runs whose numbers are all finite: a sample with NaN, which calibration leaves out on demand, says nothing about a
 * quantized model. All of them where none is.
 */
function finiteRuns({ runs, outputs, ...rest }: Reference): Reference {
  const isFinite = (tensors: ReadonlyMap<string, Tensor>) =>
    [...tensors.values()].every(({ data }) =>
      !(data instanceof Float32Array) || data.every(Number.isFinite)
    );
  const kept = runs.flatMap(({ feeds }, i) =>
    isFinite(feeds as ReadonlyMap<string, Tensor>) && isFinite(outputs[i]) ? [i] : []
  );
  if (kept.length === 0) return { runs, outputs, ...rest };
  return { runs: kept.map((i) => runs[i]), outputs: kept.map((i) => outputs[i]), ...rest };
}

/**
 * Runs a quantized model at every level of the runtime's optimizations, and judges its outputs.
 *
 * @returns The verdict, or the fault where the runtime doesn't compute what is written.
 */
export async function judgeModel(
  model: Model,
  { runs, outputs, levelRuns, crop }: Reference,
  { data, limits, runtime, signal }: JudgeOptions,
): Promise<{ verdict: Verdict; fault?: undefined } | { fault: Fault; verdict?: undefined }> {
  const checked = await checkModel(model, runs, outputs, { runtime, levelRuns, signal });
  if (checked.fault !== undefined) return { fault: checked.fault };
  const dataOf = (all: readonly ReadonlyMap<string, Tensor>[]) =>
    all.flatMap((found, i) => crop({ batch: runs[i].batch, outputs: found }));
  const reference = dataOf(outputs);
  const figures = figuresOfRuns(
    dataOf(checked.outputs).map((part) => part.outputs),
    reference.map((part) => part.outputs),
    reference.map(({ batch }) => ({ samples: batch.samples.length })),
  );
  const samples = runs.reduce((sum, run) => sum + run.samples, 0);
  const lost = lossesOf(figures, limits);
  return { verdict: { samples, data, outputs: figures, lost, notes: [] } };
}
