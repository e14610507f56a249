/**
 * Calibration: source → preprocess → batch → inference → statistics.
 *
 * @module
 */
import { PlimsollError } from "../tpc/core/errors.ts";
import type { Model } from "../tpc/onnx/model.ts";
import { outlineGraph } from "../tpc/onnx/outline.ts";
import { resolve, watchedTensors } from "../tpc/resolve.ts";
import type { Target } from "../tpc/target.ts";
import { createHistogramCore } from "../wasm/mod.ts";
import type { OnProgress } from "./core/progress.ts";
import type { InferredBatch, Sample } from "./core/tensor.ts";
import { batchSizeFor, exposeTensors, inferBatches, sampleInput } from "./inference/infer.ts";
import { createSession } from "./inference/session.ts";
import { batchSamples } from "./source/batches.ts";
import { StatisticsCollector } from "./statistics/collector.ts";
import type { Statistics } from "./statistics/statistics.ts";

/** What {@linkcode calibrate} needs. */
export interface CalibrateOptions {
  /** The prepared float model. */
  readonly model: Model;
  /** SHA-256 of the model file as it was given. */
  readonly modelSha256: string;
  /** Decides which tensors are watched. */
  readonly target: Target;
  /** Samples per inference run. Changes speed and memory, never a result. */
  readonly batch: number;
  /** Number of samples to come, for progress. */
  readonly total?: number;
  /** Told after every batch. */
  readonly onProgress?: OnProgress;
  /** Stops all stages. */
  readonly signal?: AbortSignal;
}

/**
 * Streams samples through the float model and accumulates exact statistics of every tensor that the
 * target quantizes. Memory does not grow with the number of samples.
 *
 * @param samples Consumed; cancelled when anything fails.
 * @throws {PlimsollError} kinds `model` (nothing to quantize), `data` (wrong shape, NaN, no sample),
 * `runtime`.
 */
export async function calibrate(
  samples: ReadableStream<Sample>,
  options: CalibrateOptions,
): Promise<Statistics> {
  const { model, target, signal } = options;
  try {
    const outline = outlineGraph(model.graph);
    const input = sampleInput(outline);
    const watched = watchedTensors(resolve(outline, target));
    if (watched.length === 0) throw nothingToQuantize(target, outline.nodes.map(({ op }) => op));
    const collector = new StatisticsCollector(await createHistogramCore(), watched);
    await using session = await createSession(exposeTensors(model, watched), {
      name: "the float model",
    });
    await samples
      .pipeThrough(batchSamples(batchSizeFor(input, options.batch)))
      .pipeThrough(inferBatches(session, input, watched))
      .pipeTo(collect(collector, options), { signal });
    if (collector.samples === 0) throw noSamples();
    return {
      model: { sha256: options.modelSha256 },
      outline,
      data: collector.data(),
      tensors: collector.tensors(),
    };
  } catch (error) {
    // Before the pipe stands, nothing else would tell the source to let go of its files.
    if (!samples.locked) await samples.cancel(error).catch(() => {});
    throw error;
  }
}

function collect(collector: StatisticsCollector, { total, onProgress }: CalibrateOptions) {
  return new WritableStream<InferredBatch>({
    write: async (batch) => {
      await collector.observe(batch);
      onProgress?.({ stage: "calibrate", done: collector.samples, total });
    },
  });
}

function nothingToQuantize({ name }: Target, operators: readonly string[]): PlimsollError {
  return new PlimsollError("model", {
    action: "looking for tensors to quantize",
    wanted: `an operator that target ${name} quantizes`,
    found: `only ${[...new Set(operators)].join(", ")}`,
    remedy: "Give another model or --target",
  });
}

function noSamples(): PlimsollError {
  return new PlimsollError("data", {
    action: "calibrating",
    wanted: "at least one sample",
    found: "none",
    remedy: "Give data with samples, or a larger --samples",
  });
}
