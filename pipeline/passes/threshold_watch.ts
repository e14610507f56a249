/**
 * Looks at the thresholds of a running calibration: how many still move, when each last did, whether to stop with them.
 *
 * @module
 */
import { Pace } from "../../core/pace.ts";
import type { Progress } from "../../core/progress.ts";
import type { Model } from "../../onnx/file/model.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import { resolve } from "../../tpc/placement/resolve.ts";
import type { ActivationPlan } from "../../tpc/placement/types.ts";
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

/** Options of {@linkcode ThresholdWatch}. */
export interface ThresholdWatchOptions {
  /** Batches without any change after which it is enough, at least 1: every batch is looked at then. */
  readonly patience?: number;
  /**
   * Otherwise how often is looked. Default: once a second, and for a fiftieth of the time at most; a search of all
   * thresholds of EfficientNet-Lite0 takes 80 to 430 ms (measured).
   */
  readonly pace?: { readonly pause: number; readonly share: number };
  /** Milliseconds of a clock; for tests. */
  readonly now?: () => number;
}

const PACE = { pause: 1000, share: 0.02 };
const EVERY_BATCH = { pause: 0, share: Infinity };

/**
 * Searches all thresholds while samples stream, and changes nothing of the statistics. How often it looks depends on
 * batches and clock, so its record is no part of the manifest.
 *
 * @example Stop when no threshold has moved for ten batches
 * ```ts ignore
 * const watch = new ThresholdWatch(model, target, { patience: 10 });
 * const statistics = await calibrate(samples, { ...options, isEnough: watch.isEnough });
 * ```
 */
export class ThresholdWatch {
  readonly #plans: readonly ActivationPlan[];
  readonly #patience: number;
  readonly #pace: Pace;
  readonly #thresholds = new Map<string, { threshold: number; lastChanged: number }>();
  #samples = 0;
  #looks = 0;
  #moving = 0;
  #quietBatches = 0;

  /** Makes a watch that has seen nothing. */
  constructor(
    model: Model,
    target: Target,
    { patience = Infinity, pace = patience === Infinity ? PACE : EVERY_BATCH, now }:
      ThresholdWatchOptions = {},
  ) {
    this.#plans = resolve(outlineGraph(model.graph), target).activations;
    this.#patience = patience;
    this.#pace = new Pace({ now, ...pace }, pace === PACE ? PACE.pause : 0);
  }

  /** For `calibrate`: looks, if it is time, and says whether thresholds have settled. */
  readonly isEnough = (samples: number, tensors: () => TensorStatistics[]): boolean => {
    this.look(samples, tensors);
    return this.#quietBatches >= this.#patience;
  };

  /** Looks at the statistics so far, if it is time; says whether it did. */
  look(samples: number, tensors: () => TensorStatistics[]): boolean {
    return this.#pace.look(() => {
      this.#samples = samples;
      this.#looks++;
      this.#moving = 0;
      for (const [tensor, { plan, statistics }] of gridStatistics(tensors(), this.#plans)) {
        const { spec } = settleMethod(plan.spec, statistics);
        const { threshold } = searchThreshold(statistics.histogram, spec);
        if (this.#thresholds.get(tensor)?.threshold === threshold) continue;
        this.#thresholds.set(tensor, { threshold, lastChanged: samples });
        this.#moving++;
      }
      this.#quietBatches = this.#moving > 0 ? 0 : this.#quietBatches + 1;
    });
  }

  /** Thresholds in all, and how many of them the last two looks disagree about; undefined before the second one. */
  get state(): Progress["thresholds"] {
    return this.#looks < 2 ? undefined : { moving: this.#moving, all: this.#thresholds.size };
  }

  /** When each threshold last moved, as far as the looks tell. */
  record(): Convergence {
    return {
      samples: this.#samples,
      tensors: [...this.#thresholds].map(([tensor, state]) => ({ tensor, ...state })),
    };
  }
}
