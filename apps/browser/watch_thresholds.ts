/**
 * Thresholds on their way, told now and then while samples stream.
 *
 * @module
 */
import type { Model } from "../../onnx/file/model.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { type Convergence, ConvergenceMonitor } from "../../pipeline/passes/convergence.ts";
import { Pace } from "../../core/pace.ts";
import type { TensorStatistics } from "../../pipeline/statistics/statistics.ts";

/** Looking takes at most this part of the time. */
const SHARE = 0.2;
/** Milliseconds between two looks at least. */
const PAUSE = 250;

/**
 * A hook for `isEnough` of `quantize` that tells the thresholds so far and never has enough. How often it looks follows
 * from how long a look takes, so that calibration loses a sixth of its time at most.
 */
export function watchThresholds(
  model: Model,
  target: Target,
  onThresholds: (thresholds: Convergence) => void,
): (samples: number, tensors: () => TensorStatistics[]) => boolean {
  const monitor = new ConvergenceMonitor(model, target, Infinity);
  const pace = new Pace({ pause: PAUSE, share: SHARE }, 0);
  return (samples, tensors) => {
    const hasLooked = pace.look(() => monitor.isEnough(samples, tensors));
    if (hasLooked) onThresholds(monitor.record());
    return false;
  };
}
