/**
 * A calibration with everything that looks at its thresholds: `--until-stable`, and progress.
 *
 * @module
 */
import type { Model } from "../../onnx/file/model.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { CalibrateOptions } from "../../pipeline/passes/calibrate.ts";
import type { ConvergenceMonitor } from "../../pipeline/passes/convergence.ts";
import { ThresholdWatch } from "../../pipeline/passes/threshold_watch.ts";
import type { ProgressPrinter } from "./progress.ts";

interface WatchInput {
  /** The prepared float model. */
  readonly model: Model;
  readonly target: Target;
  readonly progress: ProgressPrinter;
  /** Statistics lie in several places with more than one: nobody looks at them then. */
  readonly workers: number;
  readonly monitor?: ConvergenceMonitor;
}

/** Options of `calibrate` that report progress with thresholds, and ask the monitor when it is enough. */
export function watchThresholds(
  { model, target, progress, workers, monitor }: WatchInput,
): Pick<CalibrateOptions, "isEnough" | "onProgress"> {
  if (workers > 1 || monitor === undefined && !progress.isShown) {
    return { onProgress: progress.report };
  }
  const watch = progress.isShown ? new ThresholdWatch(model, target) : undefined;
  return {
    isEnough: (samples, tensors) => {
      watch?.look(tensors);
      return monitor?.isEnough(samples, tensors) ?? false;
    },
    onProgress: (event) =>
      progress.report(
        event.stage === "calibrate" ? { ...event, thresholds: watch?.state } : event,
      ),
  };
}
