/**
 * A calibration with everything that looks at its thresholds: `--until-stable`, and progress.
 *
 * @module
 */
import { ConvergenceMonitor } from "../../pipeline/passes/convergence.ts";
import { ThresholdWatch } from "../../pipeline/passes/threshold_watch.ts";
import type { RunOptions } from "../../pipeline/quantize/quantize.ts";
import type { ProgressPrinter } from "./progress.ts";

interface WatchInput {
  readonly progress: ProgressPrinter;
  /** Statistics lie in several places with more than one: nobody looks at them then. */
  readonly workers: number;
  /** Batches without a moved threshold after which it is enough. */
  readonly untilStable?: number;
}

/** A watch for {@linkcode RunOptions}, and the monitor that it starts where `--until-stable` wants one. */
export function watchThresholds({ progress, workers, untilStable }: WatchInput): {
  readonly watch?: NonNullable<RunOptions["watch"]>;
  readonly monitor: () => ConvergenceMonitor | undefined;
} {
  let monitor: ConvergenceMonitor | undefined;
  if (workers > 1 || untilStable === undefined && !progress.isShown) {
    return { monitor: () => monitor };
  }
  return {
    monitor: () => monitor,
    watch: ({ prepared }, target) => {
      if (untilStable !== undefined) {
        monitor = new ConvergenceMonitor(prepared, target, untilStable);
      }
      const watch = progress.isShown ? new ThresholdWatch(prepared, target) : undefined;
      return {
        isEnough: (samples, tensors) => {
          watch?.look(tensors);
          return monitor?.isEnough(samples, tensors) ?? false;
        },
        onProgress: (event) => progress.report({ ...event, thresholds: watch?.state }),
      };
    },
  };
}
