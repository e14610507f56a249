/**
 * Calibration: a pass of samples through the float model, into statistics.
 *
 * @module
 */
import { calibrateGrowing } from "./calibrate_growing.ts";
import { calibrateHere, type CalibrateHereOptions } from "./calibrate_here.ts";
import { fixedBatch, modelInputs } from "../inference/infer.ts";
import { NoSampleError } from "../../core/no_sample_error.ts";
import type { Sample } from "../../core/tensor.ts";
import type { CalibrationHooks } from "../statistics/calibration_hooks.ts";
import { RangeSet } from "../statistics/coverage.ts";
import { mergeStatistics } from "../statistics/merge_statistics.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { calibrateInWorkers, type StartWorker } from "../workers/pool.ts";

/** What {@linkcode calibrate} needs. */
export interface CalibrateOptions extends CalibrateHereOptions {
  /** Statistics of an earlier run: its samples are passed over, and the result covers both. */
  readonly resume?: Statistics;
  /** Where statistics so far are kept, in case the run is killed. */
  readonly checkpoint?: Checkpoint;
  /**
   * Web Workers that share the work; 1, the default, does it here, and `auto` begins here and starts as many more as are
   * worth it. Changes speed, never a result.
   */
  readonly workers?: number | "auto";
  /** Starts one; needed for more than one. */
  readonly startWorker?: StartWorker;
  /** Workers that this machine has room for beside this thread; none where absent. Asked once, for `auto`. */
  readonly room?: () => number;
}

/** How statistics so far are kept. */
export interface Checkpoint {
  /** Samples between two writes, about: they are written at the end of a batch. */
  readonly every: number;
  /** Writes statistics, all or nothing. */
  readonly write: (statistics: Statistics) => Promise<void>;
}

/**
 * Streams samples through the float model and accumulates exact statistics of every tensor that the
 * target quantizes. Memory does not grow with the number of samples. Workers, batches, order, and how often the work
 * was interrupted and resumed change no bit of the result.
 *
 * When `signal` aborts, a checkpoint is written before the call rejects.
 *
 * @param samples Consumed; cancelled when anything fails.
 * @throws {PlimsollError} kinds `model` (nothing to quantize), `data` (wrong shape, NaN, no sample),
 * `runtime`.
 *
 * @example Statistics now, thresholds for two targets later
 * ```ts
 * import { readFile } from "node:fs/promises";
 * import { calibrate } from "./calibrate.ts";
 * import { loadFloatModel } from "../quantize/quantize.ts";
 * import { decide } from "../search/decide.ts";
 * import { presetTarget } from "../../tpc/targets/read_target.ts";
 * import assert from "node:assert/strict";
 *
 * const float = await loadFloatModel(await readFile("data/fashion/model.onnx"), "model.onnx");
 * const samples = ReadableStream.from([1, 2, 3, 4].map((index) => ({
 *   ...{ index, id: `sample ${index}` },
 *   input: { data: new Float32Array(28 * 28).fill(index / 4), dims: [1, 28, 28] },
 * })));
 * const statistics = await calibrate(samples, {
 *   ...{ model: float.prepared, modelSha256: float.sha256 },
 *   target: presetTarget("onnxruntime")!,
 * });
 * for (const name of ["onnxruntime", "onnxruntime-reduced"]) {
 *   const target = presetTarget(name)!;
 *   const { activations } = await decide({ statistics, statisticsSha256: "", target });
 *   assert.ok(activations.length > 20);
 * }
 * ```
 */
export async function calibrate(
  samples: ReadableStream<Sample>,
  options: CalibrateOptions,
): Promise<Statistics> {
  const { resume, checkpoint, workers = 1, startWorker, room, isEnough } = options;
  const whole = (part: Statistics) =>
    resume === undefined ? part : mergeStatistics([resume, part], ["the checkpoint", "the rest"]);
  const left = resume === undefined
    ? samples
    : samples.pipeThrough(withoutCovered(resume, options));
  const hooks = checkpoint === undefined ? {} : checkpointHooks(checkpoint, whole);
  try {
    if (workers === "auto") {
      // Checkpoints are made in one place.
      const isOne = startWorker === undefined || room === undefined || checkpoint !== undefined;
      return whole(
        isOne
          ? await calibrateHere(left, options, hooks)
          : await calibrateGrowing(left, { ...options, startWorker, room }),
      );
    }
    if (workers === 1) return whole(await calibrateHere(left, options, hooks));
    if (startWorker === undefined || isEnough !== undefined) {
      throw new TypeError("Cannot calibrate in workers without startWorker, or with isEnough");
    }
    const inputs = modelInputs(options.model.graph);
    const pool = { ...options, workers, startWorker, batch: fixedBatch(inputs) ?? options.batch };
    return whole(await calibrateInWorkers(left, pool, hooks));
  } catch (error) {
    // Nothing was left to do: the checkpoint was the whole run.
    if (resume !== undefined && error instanceof NoSampleError) return resume;
    throw error;
  }
}

function checkpointHooks(
  { every, write }: Checkpoint,
  whole: (part: Statistics) => Statistics,
): CalibrationHooks {
  let written = 0;
  return {
    afterBatch: async (samples, statistics) => {
      if (samples - written < every) return;
      written = samples;
      await write(whole(await statistics()));
    },
    onAbort: (statistics) => write(whole(statistics)),
  };
}

/** Passes over the samples that statistics cover already. */
function withoutCovered(
  { data: { sources } }: Statistics,
  { source = "" }: CalibrateOptions,
): TransformStream<Sample, Sample> {
  const covered = RangeSet.from(sources.find((entry) => entry.source === source)?.ranges ?? []);
  return new TransformStream({
    transform: (sample, controller) => {
      if (!covered.has(sample.index)) controller.enqueue(sample);
    },
  });
}
