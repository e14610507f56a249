/**
 * How many thresholds still move, for whoever watches a calibration.
 *
 * @module
 */
import type { Model } from "../../onnx/file/model.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import type { ActivationPlan } from "../../tpc/placement/types.ts";
import { resolve } from "../../tpc/placement/resolve.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { thresholdsSoFar } from "./convergence.ts";
import { Pace } from "../../core/pace.ts";
import type { Progress } from "../../core/progress.ts";
import type { TensorStatistics } from "../statistics/statistics.ts";

/** Milliseconds from one look to the next, at least. */
const LEAST_MS = 1000;
/** Part of the time that looks may take: a search of all thresholds of EfficientNet-Lite0 is 80 to 430 ms (measured). */
const SHARE = 0.02;

/** Looks at the statistics of a running calibration now and then. It changes nothing of them. */
export class ThresholdWatch {
  readonly #plans: readonly ActivationPlan[];
  readonly #pace: Pace;
  #thresholds: ReadonlyMap<string, number> | undefined;
  #moving: number | undefined;

  /** @param now Milliseconds of a clock, for tests. */
  constructor(model: Model, target: Target, now?: () => number) {
    this.#plans = resolve(outlineGraph(model.graph), target).activations;
    this.#pace = new Pace({ pause: LEAST_MS, share: SHARE, now }, LEAST_MS);
  }

  /** Looks, if it is time. The next look is so far off that all of them take no more than a small part of the time. */
  look(tensors: () => TensorStatistics[]): void {
    this.#pace.look(() => {
      const found = thresholdsSoFar(tensors(), this.#plans);
      const before = this.#thresholds;
      this.#thresholds = found;
      if (before === undefined) return;
      this.#moving = [...found].filter(([name, value]) => before.get(name) !== value).length;
    });
  }

  /** Thresholds in all, and how many of them the last two looks disagree about; undefined before the second one. */
  get state(): Progress["thresholds"] {
    return this.#moving === undefined
      ? undefined
      : { moving: this.#moving, all: this.#thresholds!.size };
  }
}
