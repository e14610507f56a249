/**
 * Placement with what calibration has seen.
 *
 * @module
 */
import { resolve } from "../../tpc/placement/resolve.ts";
import type { SeenRange } from "../../tpc/placement/seen_range.ts";
import {
  layerInputs,
  type Placement,
  type Watched,
  watchedTensors,
} from "../../tpc/placement/types.ts";
import type { GraphOutline } from "../../onnx/graph/outline.ts";
import { withoutPlan } from "../../tpc/placement/overrides.ts";
import { addOverrides } from "../../tpc/targets/read_target.ts";
import { planByCosts } from "../plan/plan_by_costs.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { Statistics } from "../statistics/statistics.ts";

/**
 * Where quantizers go, given the ranges of the tensors. Statistics that lack what this needs, as older ones may, get
 * what graph and target say alone.
 *
 * @throws {PlimsollError} kind `target` for an override that the target doesn't allow.
 */
export function placementFor(
  statistics: Pick<Statistics, "outline" | "tensors" | "channels" | "data">,
  target: Target,
): Placement {
  const { outline, tensors } = statistics;
  const ranges = new Map(tensors.map(({ tensor, histogram: { finite, min, max } }) => {
    const range: SeenRange = finite === 0
      ? { low: 0, high: 0 }
      : { low: Math.min(0, min), high: Math.max(0, max) };
    return [tensor, range];
  }));
  const seen = (tensor: string) => ranges.get(tensor);
  const usual = resolve(outline, target, { seen });
  // As if a user had said so: what is planned is behind nothing else.
  const planned = planByCosts(statistics, usual, target);
  const placement = planned.length === 0
    ? usual
    : resolve(outline, addOverrides(target, planned), { seen });
  const isKnown = placement.activations.every(({ tensor, sameAs, sharedWith = [] }) =>
    sameAs !== undefined || ranges.has(tensor) || sharedWith.length > 0
  );
  return isKnown ? placement : resolve(outline, target);
}

/**
 * What a calibration has to look at, however the ranges turn out: tensors of both placements where a join may have one
 * grid or none.
 */
export function watchedFor(outline: GraphOutline, wanted: Target): Watched {
  const target = withoutPlan(wanted);
  const placements = [resolve(outline, target), resolve(outline, target, { splitJoins: true })];
  const tensors = new Set(placements.flatMap(watchedTensors));
  return { tensors: [...tensors], layers: layerInputs(placements[0]) };
}
