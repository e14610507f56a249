/**
 * Statistics × placement → manifest: every decision of a quantization, with its reasons.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { compactJson } from "../../core/canonical_json.ts";
import { clampGrid, type Levels, storeLevels } from "../../core/grid.ts";
import type { Grid } from "../../core/types.ts";
import type { Manifest, ManifestActivation } from "../../tpc/manifest.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { ActivationPlan, Placement } from "../../tpc/placement/types.ts";
import type { Recipe } from "../../tpc/recipe/recipe.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { sha256 } from "../../core/hash.ts";
import { VERSION } from "../../core/version.ts";
import { divideDyadic } from "../statistics/dyadic.ts";
import { viewOf } from "../statistics/tensor_view.ts";
import type { Statistics, TensorStatistics } from "../statistics/statistics.ts";
import { describeStored } from "./decide_stored.ts";
import { decideWeights, describeWeight } from "./decide_weights.ts";
import { gridStatistics } from "./grid_statistics.ts";
import { placementFor } from "./placement.ts";
import { priceOfBits } from "./price_of_bits.ts";
import { type SearchOptions, searchThreshold } from "./search_threshold.ts";
import { settleMethod } from "./settle_method.ts";

/** What {@linkcode decide} starts from. */
export interface DecideInput {
  /** What calibration saw. */
  readonly statistics: Statistics;
  /** SHA-256 of the statistics file. */
  readonly statisticsSha256: string;
  /** What the hardware can do, with the wishes of the user. */
  readonly target: Target;
  /** The prepared float model, with the rewrites of the statistics, for the steps of its weights; without it emission searches them. */
  readonly model?: Model;
  /** What was wished, with the whole target before the wishes; the manifest carries it. */
  readonly recipe?: Recipe;
  /** Grids that a second pass over the elements has chosen, by tensor; see `exactChoices`. */
  readonly choices?: ReadonlyMap<string, Levels>;
  /** What the model's outputs have chosen, by tensor, in place of `auto` and its grid; see `chooseByOutput`. */
  readonly byOutput?: ReadonlyMap<string, ChosenMethod>;
}

/** A method for one tensor, with its grid. */
export interface ChosenMethod {
  /** The method. */
  readonly method: Manifest["activations"][number]["method"];
  /** The grid that it chooses. */
  readonly levels: Levels;
  /** Why this one. */
  readonly reason: string;
}

/**
 * Chooses every threshold and, when the model is given, every weight step. Needs no inference and no
 * data: the same statistics can be decided again for any method, bit width and target.
 *
 * @throws {PlimsollError} kind `target` when the target needs a tensor that was not watched, kind `data` when there
 * is no sample.
 */
export async function decide(input: DecideInput): Promise<Manifest> {
  const { statistics, statisticsSha256, target } = input;
  const { samples, skipped } = statistics.data;
  if (samples === 0) {
    throw new PlimsollError("data", {
      action: "choosing thresholds",
      wanted: "statistics of at least one sample",
      found: `none: ${skipped} made NaN or infinity and were left out`,
      remedy: "Check the preprocessing and the model, and calibrate again",
    });
  }
  const placement = placementFor(statistics, target);
  const manifest: Manifest = {
    schemaVersion: 1,
    tool: { name: "plimsoll", version: VERSION },
    model: statistics.model,
    target: { name: target.name, sha256: await sha256(compactJson(target)) },
    data: describeData(statistics),
    statistics: { sha256: statisticsSha256 },
    ...(input.recipe === undefined ? {} : { recipe: input.recipe }),
    ...(Object.keys(statistics.rewrites).length === 0 ? {} : { rewrites: statistics.rewrites }),
    activations: decideActivations(input, placement),
    weights: placement.weights.map((plan) => describeWeight(plan, statistics)),
    ...(placement.tables.length === 0 ? {} : { tables: [...placement.tables] }),
    ...(placement.recurrent.length === 0 ? {} : {
      recurrent: placement.recurrent.map((plan) => ({ ...plan, weights: [...plan.weights] })),
    }),
    ...(placement.stored.length === 0 ? {} : { stored: placement.stored.map(describeStored) }),
    float: [...placement.float],
  };
  return input.model === undefined ? manifest : decideWeights(manifest, input.model);
}

/** What the manifest says of the data: nothing of how the work was cut. */
function describeData({ data: { samples, skipped, sha256, preprocessing } }: Statistics) {
  return { samples, skipped, sha256, preprocessing };
}

function decideActivations(
  { statistics: { tensors }, target, choices, byOutput }: DecideInput,
  { activations }: Placement,
): ManifestActivation[] {
  const grids = gridStatistics(tensors, activations);
  const decided = new Map<string, Decided>();
  for (const plan of activations) {
    if (plan.sameAs !== undefined) continue;
    const found = grids.get(plan.tensor);
    if (found === undefined) throw notWatched(plan, target);
    const { tensor } = plan;
    const chosen = { levels: choices?.get(tensor), method: byOutput?.get(tensor) };
    decided.set(tensor, decideActivation(plan, found.statistics, chosen));
  }
  return activations.map((plan) =>
    plan.sameAs === undefined
      ? decided.get(plan.tensor)!.entry
      : keepQuantization(plan, decided.get(plan.sameAs)!)
  );
}

/** An activation with its grid before fused clamps narrowed it: a tensor with the same grid may have others. */
interface Decided {
  readonly entry: ManifestActivation;
  readonly grid: Grid;
}

function decideActivation(
  plan: ActivationPlan,
  statistics: TensorStatistics,
  chosen: { levels?: Levels; method?: ChosenMethod },
): Decided {
  const { tensor, producer, fused, clamp, reason, storage, sharedWith } = plan;
  const { shape, histogram } = statistics;
  const { spec, reason: methodReason } = chosen.method === undefined
    ? settleMethod(plan.spec, statistics)
    : {
      spec: { ...plan.spec, error: chosen.method.method },
      reason: [chosen.method.reason],
    };
  const { curve, error, bounds, sqnr, lost, clippedFraction, ...found } = searchThreshold(
    histogram,
    spec,
    choiceOf(chosen),
  );
  const grid = storeLevels(found.levels, storage);
  const { finite, zeros, min, max } = histogram;
  const isEmpty = finite === 0;
  const entry: ManifestActivation = {
    tensor,
    producer,
    clamp,
    storage,
    ...clampGrid(grid, clamp),
    ...(sharedWith === undefined ? {} : { sharedWith: [...sharedWith] }),
    fused: [...fused],
    shape: [...shape],
    bits: spec.bits,
    signed: found.signed,
    constraint: spec.constraint,
    method: spec.error,
    ...(spec.fixedRange === undefined && spec.fixedGrid === undefined
      ? {}
      : { fixed: true as const }),
    threshold: found.threshold,
    reason: [
      reason,
      ...methodReason,
      ...found.reason,
      ...priceOfBits(plan, statistics, sqnr),
    ],
    statistics: {
      elements: finite,
      zeros,
      error,
      bounds,
      sqnr,
      lost,
      clippedFraction,
      min: isEmpty ? null : min,
      max: isEmpty ? null : max,
      mean: isEmpty ? null : divideDyadic(viewOf(histogram).exact.sum, BigInt(finite)),
      curve: [...curve],
    },
  };
  return { entry, grid };
}

/** What `searchThreshold` is told of grids that something else has chosen. */
function choiceOf({ levels, method }: { levels?: Levels; method?: ChosenMethod }): SearchOptions {
  if (method !== undefined) {
    return { choice: { levels: method.levels, reason: "searched without the held-out samples" } };
  }
  if (levels === undefined) return {};
  const reason = "chosen among its best candidates by a second pass over the elements";
  return { choice: { levels, reason } };
}

function keepQuantization(plan: ActivationPlan, { entry, grid }: Decided): ManifestActivation {
  const { statistics: _, sharedWith: _others, ...quantizer } = entry;
  const { tensor, producer, fused, clamp, reason, sameAs } = plan;
  return {
    ...quantizer,
    // What such an operator makes of codes in range is in range; a tensor of its own may be clamped otherwise.
    ...(plan.isDerived ? { derived: true as const } : clampGrid(grid, clamp)),
    tensor,
    producer,
    clamp,
    sameAs,
    fused: [...fused],
    shape: [],
    reason: [reason],
  };
}

function notWatched({ tensor }: ActivationPlan, { name }: Target): PlimsollError {
  return new PlimsollError("target", {
    action: `searching thresholds for target ${name}`,
    wanted: `statistics of tensor ${JSON.stringify(tensor)}`,
    found: "a statistics file that was calibrated for other tensors",
    remedy: `Run calibrate with ${option("target", name)}`,
  });
}
