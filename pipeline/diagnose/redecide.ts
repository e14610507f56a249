/**
 * A manifest decided again for a target that differs a little: what the change doesn't touch stays as it was, so that
 * choices of a second pass, of outputs and of rounding are kept, and weights aren't searched twice.
 *
 * @module
 */
import { compactJson } from "../../core/canonical_json.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { decide } from "../search/decide.ts";
import { decideWeights } from "../search/decide_weights.ts";
import type { Statistics } from "../statistics/statistics.ts";

/** What {@linkcode redecider} starts from. */
export interface DecidedInput {
  /** What calibration saw. */
  readonly statistics: Statistics;
  /** What the manifest was decided for. */
  readonly target: Target;
  /** Decided from these statistics for this target, with weight steps. */
  readonly manifest: Manifest;
  /** The prepared float model. */
  readonly model: Model;
}

/** Gives the manifest for another target; see `decide` for what it throws. */
export async function redecider(
  { statistics, target, manifest, model }: DecidedInput,
): Promise<(changed: Target) => Promise<Manifest>> {
  const { sha256: statisticsSha256 } = manifest.statistics;
  const undecided = await decide({ statistics, statisticsSha256, target });
  /** Entries of the manifest by what they were before anything else than `decide` had its say. */
  const activations = new Map(
    undecided.activations.map((entry, i) => [compactJson(entry), manifest.activations[i]]),
  );
  const weights = new Map(
    undecided.weights.map((entry, i) => [compactJson(entry), manifest.weights[i]]),
  );
  const scales = new Map(manifest.activations.map(({ tensor, scale }) => [tensor, scale]));
  return async (changed) => {
    const found = await decide({ statistics, statisticsSha256, target: changed });
    const kept = found.activations.map((entry) => activations.get(compactJson(entry)) ?? entry);
    const scaleNow = new Map(kept.map(({ tensor, scale }) => [tensor, scale]));
    const keptWeights = found.weights.map((entry) => {
      const before = weights.get(compactJson(entry));
      // Steps may have to leave room for the bias, whose step is that of the input times that of the weight. Rounded
      // codes belong to their steps and stay with them.
      const isSame = before?.rounding !== undefined ||
        scales.get(entry.activation) === scaleNow.get(entry.activation);
      return before !== undefined && isSame ? before : entry;
    });
    return decideWeights({ ...found, activations: kept, weights: keptWeights }, model);
  };
}
