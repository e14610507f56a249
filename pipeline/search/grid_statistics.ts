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
    if (plan.sameAs !== undefined) continue;
    const own = watched.get(plan.tensor);
    const { sharedWith = [] } = plan;
    const further = sharedWith.flatMap((name) => watched.get(name) ?? []);
    // What joins others holds their values: it needs no statistics of its own.
    const all = [...own === undefined ? [] : [own], ...further];
    if (all.length === 0 || further.length < sharedWith.length) continue;
    grids.set(plan.tensor, { plan, statistics: merge(plan.tensor, all) });
  }
  return grids;
}

function merge(tensor: string, all: readonly TensorStatistics[]): TensorStatistics {
  if (all.length === 1 && all[0].tensor === tensor) return all[0];
  const heldOut = all.flatMap((entry) => entry.heldOut === undefined ? [] : [entry.heldOut]);
  return {
    tensor,
    shape: all[0].tensor === tensor ? all[0].shape : [],
    histogram: mergeHistograms(all.map(({ histogram }) => histogram)),
    ...(heldOut.length === all.length ? { heldOut: mergeHistograms(heldOut) } : {}),
  };
}
