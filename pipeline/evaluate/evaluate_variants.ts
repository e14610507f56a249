/**
 * Evaluation of many variants of a model, with what it takes to compare them in pairs.
 *
 * Samples stream once through the float model and all variants while these are few: decoding them is most of the work
 * of small models. Of many, a few sessions are open at a time, and samples stream once for each such turn with the
 * float model in all of them: memory depends neither on the number of samples nor, but for a bit a sample, on that of
 * variants.
 *
 * @module
 */
import type { Model } from "../../onnx/file/model.ts";
import { numbered, type OnProgress } from "../../core/progress.ts";
import type { Sample } from "../../core/tensor.ts";
import { batchSizeFor, feedsFor, fixedBatch, modelInputs } from "../inference/infer.ts";
import { tokenFitter } from "../inference/fit_tokens.ts";
import { createSession } from "../inference/default_runtime.ts";
import type { Runtime } from "../inference/runtime.ts";
import { SessionStack } from "../inference/session_stack.ts";
import { streamOf } from "../../core/stream_of.ts";
import { batchSamples } from "../source/batches.ts";
import { evaluate, type ModelEvaluation, type NamedSession } from "./evaluate.ts";
import { HitList } from "./hit_list.ts";
import { measureLatency } from "./latency.ts";

/** Variants whose sessions are open at once, beside the float model's. */
const OPEN_SESSIONS = 8;

/** A model and what to call it. */
export interface NamedModel {
  /** What to call it. */
  readonly name: string;
  /** The model. */
  readonly model: Model;
}

/** Result of one model. */
export interface MeasuredModel {
  readonly evaluation: ModelEvaluation;
  /** Which labelled samples it got right. */
  readonly hits: HitList;
  /** Median time for one sample, as part of the float model's beside it. Not the same twice. */
  readonly latency: number;
  /** The same in milliseconds. */
  readonly milliseconds: number;
}

/** Options of {@linkcode evaluateVariants}. */
export interface EvaluateVariantsOptions {
  /** Opens the samples, once for each turn, always the same ones. */
  readonly open: () => Promise<{
    readonly samples: ReadableStream<Sample>;
    readonly count?: number;
    readonly classes?: readonly string[];
  }>;
  /** Samples per inference run. */
  readonly batch?: number;
  /** Variants in a turn, default {@linkcode OPEN_SESSIONS}. Changes speed and memory, never a result. */
  readonly openSessions?: number;
  /** Told after every batch. */
  readonly onProgress?: OnProgress;
  /** Stops before the next batch. */
  readonly signal?: AbortSignal;
  /** Where models run; the default runtime when absent. */
  readonly runtime?: Runtime;
}

/** Evaluates variants against the float model, which comes first in the result. */
export async function evaluateVariants(
  float: NamedModel,
  variants: readonly NamedModel[],
  options: EvaluateVariantsOptions,
): Promise<MeasuredModel[]> {
  const { openSessions = OPEN_SESSIONS, onProgress } = options;
  const results: MeasuredModel[] = [];
  const count = Math.max(1, Math.ceil(variants.length / openSessions));
  for (let turn = 0; turn < count; turn++) {
    const part = variants.slice(turn * openSessions, (turn + 1) * openSessions);
    const measured = await evaluateTurn([float, ...part], {
      ...options,
      onProgress: numbered(onProgress, turn + 1, count),
    });
    results.push(...turn === 0 ? measured : measured.slice(1));
  }
  return results;
}

async function evaluateTurn(
  models: readonly NamedModel[],
  { open, signal, onProgress, ...options }: EvaluateVariantsOptions,
): Promise<MeasuredModel[]> {
  await using sessions = new SessionStack();
  const inputs = modelInputs(models[0].model.graph);
  const contestants: NamedSession[] = [];
  for (const { name, model } of models) {
    signal?.throwIfAborted();
    contestants.push({
      name,
      session: sessions.use(await createSession(model, { name, runtime: options.runtime })),
    });
  }
  const { samples, count: total, classes } = await open();
  const first = keepFirst(fixedBatch(inputs) ?? 1);
  const hits = models.map(() => new HitList());
  const evaluations = await evaluate(contestants, samples.pipeThrough(first.stage), {
    inputs,
    classes,
    total,
    signal,
    onProgress,
    batch: batchSizeFor(inputs, options.batch),
    onHits: (outcome) => outcome.forEach((isHit, i) => hits[i].push(isHit)),
  });
  const batches = streamOf(first.kept).pipeThrough(
    batchSamples(first.kept.length, tokenFitter(inputs)),
  );
  const { value: batch } = await batches.getReader().read();
  const times = await measureLatency(
    contestants.map(({ session }) => session),
    feedsFor(batch!, inputs),
    signal,
  );
  return evaluations.map((evaluation, i) => ({
    evaluation,
    hits: hits[i],
    milliseconds: times[i],
    latency: times[i] / times[0],
  }));
}

/** A stage that changes nothing and keeps the first samples. */
function keepFirst(count: number) {
  const kept: Sample[] = [];
  const stage = new TransformStream<Sample, Sample>({
    transform: (sample, controller) => {
      if (kept.length < count) kept.push(sample);
      controller.enqueue(sample);
    },
  });
  return { kept, stage };
}
