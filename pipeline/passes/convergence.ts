/**
 * When thresholds stopped moving, and whether to stop with them.
 *
 * @module
 */
import type { Model } from "../../onnx/file/model.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import type { ActivationPlan } from "../../tpc/placement/types.ts";
import { resolve } from "../../tpc/placement/resolve.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { gridStatistics } from "../search/grid_statistics.ts";
import { searchThreshold } from "../search/search_threshold.ts";
import { settleMethod } from "../search/settle_method.ts";
import type { TensorStatistics } from "../statistics/statistics.ts";

/** How far the thresholds of a calibration have settled; plain JSON. */
export interface Convergence {
  /** Samples that were seen. */
  readonly samples: number;
  /** What became of each threshold. */
  readonly tensors: readonly {
    readonly tensor: string;
    readonly threshold: number;
    /** Number of samples after which the threshold became what it is. */
    readonly lastChanged: number;
  }[];
}

/**
 * Searches all thresholds after every batch. How often it looks depends on the batch size, so its record is
 * no part of the manifest.
 *
 * @example Stop when no threshold has moved for ten batches
 * ```ts ignore
 * const monitor = new ConvergenceMonitor(model, target, 10);
 * const statistics = await calibrate(samples, { ...options, isEnough: monitor.isEnough });
 * ```
 */
export class ConvergenceMonitor {
  readonly #plans: readonly ActivationPlan[];
  readonly #patience: number;
  readonly #state = new Map<string, { threshold: number; lastChanged: number }>();
  #samples = 0;
  #quietBatches = 0;

  /**
   * Makes a monitor that has seen nothing.
   *
   * @param patience Batches without any change after which it is enough, at least 1.
   */
  constructor(model: Model, target: Target, patience: number) {
    this.#plans = resolve(outlineGraph(model.graph), target).activations;
    this.#patience = patience;
  }

  /** For `calibrate`: looks at the statistics so far; true when they have settled. */
  readonly isEnough = (samples: number, tensors: () => TensorStatistics[]): boolean => {
    this.#samples = samples;
    let hasChanged = false;
    for (const [tensor, threshold] of thresholdsSoFar(tensors(), this.#plans)) {
      if (this.#state.get(tensor)?.threshold === threshold) continue;
      this.#state.set(tensor, { threshold, lastChanged: samples });
      hasChanged = true;
    }
    this.#quietBatches = hasChanged ? 0 : this.#quietBatches + 1;
    return this.#quietBatches >= this.#patience;
  };

  /** The record so far. */
  record(): Convergence {
    return {
      samples: this.#samples,
      tensors: [...this.#state].map(([tensor, state]) => ({ tensor, ...state })),
    };
  }
}

/** What the search chooses from the statistics so far, by the tensor that has the grid. */
export function thresholdsSoFar(
  tensors: readonly TensorStatistics[],
  plans: readonly ActivationPlan[],
): Map<string, number> {
  const found = new Map<string, number>();
  for (const [tensor, { plan, statistics }] of gridStatistics(tensors, plans)) {
    const { spec } = settleMethod(plan.spec, statistics);
    found.set(tensor, searchThreshold(statistics.histogram, spec).threshold);
  }
  return found;
}
