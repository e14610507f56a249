/**
 * The grids among which the outputs of the model choose: what the error methods make of one tensor.
 *
 * @module
 */
import type { Levels } from "../../core/grid.ts";
import type { ErrorMethod, SettledSpec } from "../../core/types.ts";
import { toNumber } from "../statistics/dyadic.ts";
import { squaredError } from "../statistics/grid_errors.ts";
import type { TensorStatistics } from "../statistics/statistics.ts";
import { viewOf } from "../statistics/tensor_view.ts";
import { METHOD_ORDER } from "./methods/methods.ts";
import { tryMethods } from "./settle_method.ts";

/** One grid that a method has chosen. */
export interface Candidate {
  readonly method: ErrorMethod;
  readonly levels: Levels;
}

/** The grids of one tensor. */
export interface Candidates {
  /**
   * Different grids, that of the least squared error first: over all elements, since a few held-out samples don't
   * show how far a tensor reaches. By 10 of them method mae was the best for an input of the last layer of
   * EfficientNet-Lite0, with half the threshold of mse; on 250 other images that cost 1.2 dB (measured).
   */
  readonly grids: readonly Candidate[];
  /** Σ(Q(x) − x)² / Σx² of the first; 0 where all elements are zero. */
  readonly noise: number;
}

/**
 * The different grids that the error methods choose on the samples that were not held out. Undefined where none can
 * be held out: a tensor whose first axis isn't that of the samples, or no other samples.
 */
export function candidateGrids(
  spec: Omit<SettledSpec, "error">,
  { histogram, heldOut }: Pick<TensorStatistics, "histogram" | "heldOut">,
): Candidates | undefined {
  if (heldOut === undefined || heldOut.finite === 0 || heldOut.finite === histogram.finite) {
    return undefined;
  }
  const { bins, exact } = viewOf(histogram);
  // Of those that choose the same grid the earlier one gives it its name.
  const trials = tryMethods({ ...spec, error: "auto" }, { histogram, heldOut }, METHOD_ORDER).map(
    ({ method, levels }) => ({ method, levels, error: squaredError(bins, levels) }),
  );
  const grids = trials.filter(({ levels }, i) =>
    trials.findIndex((other) => isSame(other.levels, levels)) === i
  ).sort((a, b) => a.error - b.error);
  const power = toNumber(exact.squares);
  return { grids, noise: power === 0 ? 0 : grids[0].error / power };
}

function isSame(a: Levels, b: Levels): boolean {
  return a.step === b.step && a.low === b.low && a.high === b.high;
}
