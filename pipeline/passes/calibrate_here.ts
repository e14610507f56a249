/**
 * Calibration in this thread.
 *
 * @module
 */
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import { holdsOut } from "../../tpc/recipe/recipe.ts";
import { createHistogramCore } from "../../wasm/mod.ts";
import type { Sample } from "../../core/tensor.ts";
import { defaultRuntime } from "../inference/default_runtime.ts";
import { runtimeBuild } from "../inference/runtime.ts";
import type { CalibrationHooks } from "../statistics/calibration_hooks.ts";
import { type CollectorOptions, StatisticsCollector } from "../statistics/collector.ts";
import type { Statistics, TensorStatistics } from "../statistics/statistics.ts";
import { type PassOptions, streamActivations } from "./stream_activations.ts";

/** What {@linkcode calibrateHere} needs. */
export interface CalibrateHereOptions extends PassOptions, Omit<CollectorOptions, "holdOut"> {
  /** SHA-256 of the model file as it was given. */
  readonly modelSha256: string;
  /** Rewrites that were applied to the prepared model. */
  readonly rewrites?: Rewrites;
  /**
   * Asked after every batch with the number of samples so far; true ends the calibration there. `tensors`
   * gives the statistics so far, some 0.2 ms a tensor.
   */
  readonly isEnough?: (samples: number, tensors: () => TensorStatistics[]) => boolean;
}

/** Streams samples through the model in this thread; see `calibrate`. */
export async function calibrateHere(
  samples: ReadableStream<Sample>,
  options: CalibrateHereOptions,
  { afterBatch, onAbort }: CalibrationHooks = {},
): Promise<Statistics> {
  const { modelSha256, rewrites = {}, isEnough, signal } = options;
  let statistics: (() => Statistics) | undefined;
  let busy: Promise<unknown> = Promise.resolve();
  try {
    await streamActivations(samples, options, "calibrate", async (watched, outline) => {
      const holdOut = holdsOut(options.target);
      const core = await createHistogramCore();
      const collector = new StatisticsCollector(core, watched, { ...options, holdOut });
      statistics = () => ({
        model: { sha256: modelSha256 },
        rewrites,
        runtime: runtimeBuild(options.runtime ?? defaultRuntime()),
        outline,
        data: collector.data(),
        tensors: collector.tensors(),
        channels: collector.channels(),
      });
      const soFar = () => Promise.resolve(statistics!());
      const observe = async (batch: Parameters<typeof collector.observe>[0]) => {
        await collector.observe(batch);
        await afterBatch?.(collector.samples, soFar);
      };
      return async (batch) => {
        await (busy = observe(batch));
        return isEnough?.(collector.samples, () => collector.tensors()) ?? false;
      };
    });
  } catch (error) {
    // An abort leaves the batch at hand running: what it adds is whole when it ends well.
    const isWhole = await busy.then(() => true, () => false);
    if (signal?.aborted && isWhole && statistics !== undefined) await onAbort?.(statistics());
    throw error;
  }
  return statistics!();
}
