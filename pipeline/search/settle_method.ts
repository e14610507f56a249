/**
 * AUTO: an error method for each tensor.
 *
 * Every method chooses its grid on the samples that were not held out; the one whose grid has the least
 * squared error on the held-out samples wins, the earlier of equal ones. So a method that fits its
 * threshold to the samples at hand (a range set by one outlier, say) shows on others. The winner then
 * searches all samples.
 *
 * Which samples are held out is decided by their content (the first byte of their SHA-256), so that order,
 * batches and shards don't matter.
 *
 * @module
 */
import type { Levels } from "../../core/grid.ts";
import type { ActivationSpec, ErrorMethod, SettledSpec } from "../../core/types.ts";
import { squaredError } from "../statistics/grid_errors.ts";
import type { TensorStatistics } from "../statistics/statistics.ts";
import { subtractHistogram } from "../statistics/subtract_histogram.ts";
import { viewOf } from "../statistics/tensor_view.ts";
import { AUTO_METHODS } from "./methods/methods.ts";
import { searchThreshold } from "./search_threshold.ts";

/** A spec whose method is decided. */
export interface Settled {
  readonly spec: SettledSpec;
  /** Why this method; empty when the target names one. */
  readonly reason: readonly string[];
}

/** Decides the method of one tensor where the target leaves it open. */
export function settleMethod(
  spec: ActivationSpec,
  { histogram, heldOut }: Pick<TensorStatistics, "histogram" | "heldOut">,
): Settled {
  const { error } = spec;
  const settle = (method: ErrorMethod, ...reason: string[]) => ({
    spec: { ...spec, error: method },
    reason,
  });
  if (error !== "auto") return settle(error);
  if (heldOut === undefined || heldOut.finite === 0 || heldOut.finite === histogram.finite) {
    return settle("mse", "auto: mse, since no samples were held out of these statistics");
  }
  const trials = tryMethods(spec, { histogram, heldOut }, AUTO_METHODS);
  const best = trials.reduce((a, b) => b.error < a.error ? b : a);
  const others = trials.filter((trial) => trial !== best).map((trial) =>
    `${trial.method} ${trial.error.toPrecision(4)}`
  );
  return settle(
    best.method,
    `auto: ${best.method} has the least squared error on ${heldOut.finite} held-out elements ` +
      `(${best.error.toPrecision(4)}; ${others.join(", ")})`,
  );
}

/** A method with the grid that it chooses without held-out samples. */
export interface MethodTrial {
  readonly method: ErrorMethod;
  readonly levels: Levels;
  /** Squared error per held-out element. */
  readonly error: number;
}

/** The grids of some methods on the samples that were not held out, with their errors on the others. */
export function tryMethods(
  spec: ActivationSpec,
  { histogram, heldOut }: Required<Pick<TensorStatistics, "histogram" | "heldOut">>,
  methods: readonly ErrorMethod[],
): MethodTrial[] {
  const rest = subtractHistogram(histogram, heldOut);
  const { bins } = viewOf(heldOut);
  return methods.map((method) => {
    const { levels } = searchThreshold(rest, { ...spec, error: method });
    return { method, levels, error: squaredError(bins, levels) / heldOut.finite };
  });
}
