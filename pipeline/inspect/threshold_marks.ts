/**
 * What error methods choose for one tensor of a statistics file.
 *
 * @module
 */
import type { Levels } from "../../core/grid.ts";
import type { Constraint, MethodChoice } from "../../core/types.ts";
import type { ActivationPlan } from "../../tpc/placement/types.ts";
import { placementFor } from "../search/placement.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { gridStatistics } from "../search/grid_statistics.ts";
import { searchThreshold } from "../search/search_threshold.ts";
import { settleMethod } from "../search/settle_method.ts";
import type { Statistics, TensorStatistics } from "../statistics/statistics.ts";

/** The choice of one method; plain JSON. */
export interface FoundThreshold {
  /** The method that was asked for; `auto` stays that. */
  readonly method: MethodChoice;
  /** In units of the tensor. */
  readonly threshold: number;
  /** The grid. */
  readonly levels: Levels;
  /** Bits of its codes. */
  readonly bits: number;
  /** Which grids were allowed. */
  readonly constraint: Constraint;
  /** Over the calibration elements, in dB; null where it isn't finite. */
  readonly sqnr: number | null;
  /** Part of the elements outside. */
  readonly clippedFraction: number;
}

/**
 * Searches thresholds of single tensors on the spot. Tensors that the target doesn't quantize get what it asks of
 * activations in general.
 *
 * @param methods Without any, the target's own for each tensor.
 */
export function thresholdFinder(
  statistics: Statistics,
  target: Target,
  methods: readonly MethodChoice[],
): (tensor: TensorStatistics) => FoundThreshold[] {
  const grids = new Map<
    string,
    { plan: Pick<ActivationPlan, "spec">; statistics: TensorStatistics }
  >();
  for (
    const found of gridStatistics(statistics.tensors, placementFor(statistics, target).activations)
      .values()
  ) {
    const { tensor, sharedWith = [] } = found.plan;
    for (const name of [tensor, ...sharedWith]) grids.set(name, found);
  }
  return (entry) => {
    const { plan: { spec }, statistics } = grids.get(entry.tensor) ??
      { plan: { spec: target.activation }, statistics: entry };
    return (methods.length === 0 ? [spec.error] : methods).map((method) => {
      const settled = settleMethod({ ...spec, error: method }, statistics);
      const { threshold, levels, sqnr, clippedFraction } = searchThreshold(
        statistics.histogram,
        settled.spec,
      );
      const { bits, constraint } = spec;
      return { method, threshold, levels, bits, constraint, sqnr, clippedFraction };
    });
  };
}

/** Where a grid ends: both sides of a threshold, or the ends of an affine range, without zero. */
export function gridEnds(
  { threshold, levels: { step, low, high }, constraint }: Pick<
    FoundThreshold,
    "threshold" | "levels" | "constraint"
  >,
): number[] {
  const ends = constraint === "uniform"
    ? [low * step, high * step]
    : low < 0
    ? [-threshold, threshold]
    : [threshold];
  return ends.filter((value) => value !== 0);
}
