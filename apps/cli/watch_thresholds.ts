/**
 * Who looks at the thresholds of a calibration: `--until-stable`, and progress.
 *
 * @module
 */
import { isSeveral, type WorkerCount } from "../../pipeline/workers/worker_count.ts";
import { ThresholdWatch } from "../../pipeline/passes/threshold_watch.ts";
import type { RunOptions } from "../../pipeline/quantize/quantize.ts";
import type { ProgressPrinter } from "./progress.ts";

interface WatchInput {
  readonly progress: ProgressPrinter;
  /** Statistics lie in several places with more than one: nobody looks at them then. With `auto` those here are looked at. */
  readonly workers: WorkerCount;
  /** Batches without a moved threshold after which it is enough. */
  readonly untilStable?: number;
}

/** A watch for {@linkcode RunOptions}, and its record where `--until-stable` wants one. */
export function watchThresholds({ progress, workers, untilStable: patience }: WatchInput): {
  readonly watch?: NonNullable<RunOptions["watch"]>;
  readonly record: () => ReturnType<ThresholdWatch["record"]> | undefined;
} {
  let last: ThresholdWatch | undefined;
  const record = () => patience === undefined ? undefined : last?.record();
  if (isSeveral(workers) || patience === undefined && !progress.isShown) return { record };
  return {
    record,
    watch: ({ prepared }, target) => {
      const watch = last = new ThresholdWatch(prepared, target, { patience });
      return {
        isEnough: watch.isEnough,
        onProgress: (event) => progress.report({ ...event, thresholds: watch.state }),
      };
    },
  };
}
