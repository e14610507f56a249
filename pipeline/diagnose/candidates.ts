/**
 * What might help a tensor: single changes of the target.
 *
 * @module
 */
import type { ActivationPlan } from "../../tpc/placement/types.ts";
import type { TensorStatistics } from "../statistics/statistics.ts";
import { ERROR_METHODS, type ErrorMethod } from "../../core/types.ts";
import type { Manifest, ManifestActivation } from "../../tpc/manifest.ts";
import { placementFor } from "../search/placement.ts";
import { gridStatistics } from "../search/grid_statistics.ts";
import { searchThreshold } from "../search/search_threshold.ts";
import { levelsOf } from "../search/levels_of.ts";
import type { DecidedInput } from "./redecide.ts";
import type { DiagnosedTensor, Remedy } from "./diagnosis.ts";

/** A remedy that hasn't been tried. */
export type Candidate = Pick<Remedy, "tensor" | "kind" | "change" | "override">;

/** Bits that activations are given, as far as the target takes them. */
const ACTIVATION_BITS = [8, 16] as const;
/** Bits that weights are given. */
const WEIGHT_BITS = [4, 8] as const;

/**
 * Lists changes for some tensors: every other grid that an error method chooses, more bits for the activation, more for
 * the weights of the layer that makes it, and the layer left float. Whether the target allows them is for whoever
 * applies them to find out.
 */
export function candidatesFor(
  tensors: readonly DiagnosedTensor[],
  { statistics, target, manifest }: Pick<DecidedInput, "statistics" | "target" | "manifest">,
): Candidate[] {
  const grids = gridStatistics(
    statistics.tensors,
    placementFor(statistics, target).activations,
  );
  return tensors.flatMap(({ tensor, producer }) => {
    const entry = manifest.activations.find((activation) => activation.tensor === tensor);
    const grid = grids.get(tensor);
    return [
      ...(entry === undefined || grid === undefined ? [] : otherGrids(entry, grid)),
      ...(entry === undefined || entry.sameAs !== undefined ? [] : moreBits(entry)),
      ...(producer === null ? [] : layerChanges(tensor, producer.node, manifest)),
    ];
  });
}

/** Of methods that choose the same grid the first one stands for it. */
function otherGrids(
  entry: ManifestActivation,
  { plan, statistics }: { readonly plan: ActivationPlan; readonly statistics: TensorStatistics },
): Candidate[] {
  const { tensor } = entry;
  const seen = new Set([JSON.stringify(levelsOf(entry))]);
  const { fixedRange: _, fixedGrid: _grid, ...spec } = plan.spec;
  return ERROR_METHODS.filter((method) => method !== entry.method).flatMap(
    (method: ErrorMethod): Candidate[] => {
      const { levels } = searchThreshold(statistics.histogram, { ...spec, error: method });
      const key = JSON.stringify(levels);
      if (seen.has(key)) return [];
      seen.add(key);
      const override = { match: { tensor }, activation: { error: method } };
      return [{ tensor, kind: "error", change: `error ${method}`, override }];
    },
  );
}

function moreBits({ tensor, bits }: ManifestActivation): Candidate[] {
  return ACTIVATION_BITS.filter((more) => more > bits).map((more) => ({
    tensor,
    kind: "bits",
    change: `${more} bits`,
    override: { match: { tensor }, activation: { bits: more } },
  }));
}

function layerChanges(tensor: string, node: string, { weights }: Manifest): Candidate[] {
  const bits = Math.min(
    ...weights.filter((weight) => weight.node === node).map(({ bits }) => bits),
  );
  return [
    ...WEIGHT_BITS.filter((more) => more > bits).map((more): Candidate => ({
      tensor,
      kind: "weight bits",
      change: `weights of ${more} bits`,
      override: { match: { node }, weight: { bits: more } },
    })),
    { tensor, kind: "float", change: "float", override: { match: { node }, quantize: false } },
  ];
}
