/**
 * Statistics by grid instead of by tensor.
 *
 * @module
 */
import type { ActivationPlan } from "../../tpc/placement/types.ts";
import { mergeHistograms } from "../statistics/merge_histograms.ts";
import type { TensorStatistics } from "../statistics/statistics.ts";

/** What of a plan says whose grid it is; plans and entries of manifests have it. */
export type GridPlan = Pick<ActivationPlan, "tensor" | "sameAs" | "sharedWith">;

/**
 * What each grid has to hold: the statistics of its tensor, or of all tensors that share it, added up. Tensors
 * that were not watched are left out.
 */
export function gridStatistics<Plan extends GridPlan>(
  tensors: readonly TensorStatistics[],
  activations: readonly Plan[],
): Map<string, { plan: Plan; statistics: TensorStatistics }> {
  const watched = new Map(tensors.map((entry) => [entry.tensor, entry]));
  const grids = new Map<string, { plan: Plan; statistics: TensorStatistics }>();
  for (const plan of activations) {
    const statistics = watched.get(plan.tensor);
    if (plan.sameAs !== undefined || statistics === undefined) continue;
    const further = (plan.sharedWith ?? []).map((name) => watched.get(name));
    const all = [statistics, ...further.filter((entry) => entry !== undefined)];
    if (all.length <= further.length) continue;
    grids.set(plan.tensor, { plan, statistics: merge(all) });
  }
  return grids;
}

function merge(all: readonly TensorStatistics[]): TensorStatistics {
  if (all.length === 1) return all[0];
  const heldOut = all.flatMap((entry) => entry.heldOut === undefined ? [] : [entry.heldOut]);
  return {
    tensor: all[0].tensor,
    shape: all[0].shape,
    histogram: mergeHistograms(all.map(({ histogram }) => histogram)),
    ...(heldOut.length === all.length ? { heldOut: mergeHistograms(heldOut) } : {}),
  };
}
