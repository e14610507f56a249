/**
 * The second pass: true errors of given grids, over the elements themselves. It proves what the
 * statistics say (`--verify`) and decides between candidates that they can't tell apart (`--exact`).
 *
 * @module
 */
import type { Levels } from "../../core/grid.ts";
import type { Manifest, ManifestActivation } from "../../tpc/manifest.ts";
import { placementFor } from "../search/placement.ts";
import type { Sample } from "../../core/tensor.ts";
import type { SettledSpec } from "../../core/types.ts";
import { gridStatistics } from "../search/grid_statistics.ts";
import { settleMethod } from "../search/settle_method.ts";
import { levelsOf } from "../search/levels_of.ts";
import { powerOf, shortlist } from "../search/shortlist.ts";
import type { Statistics } from "../statistics/statistics.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { gatherErrors, meanErrors, type TrueError } from "./gather_errors.ts";
import type { PassOptions } from "./stream_activations.ts";

export type { TrueError };

/**
 * Streams the samples once more and sums the errors of each grid over all elements.
 *
 * @param grids Grids to judge, by tensor.
 * @param samples The same as for calibration, in any order and batches. Consumed.
 */
export async function trueErrors(
  grids: ReadonlyMap<string, readonly Levels[]>,
  samples: ReadableStream<Sample>,
  options: PassOptions,
  stage: string,
): Promise<Map<string, TrueError[]>> {
  return meanErrors(grids, await gatherErrors(grids, samples, options, stage));
}

/**
 * For every tensor whose error method and constraint leave something to decide (MSE and MAE with
 * symmetric or uniform grids), the grid of least true error among the best candidates of the search.
 *
 * @returns The choice by tensor, for `decide`.
 */
export async function exactChoices(
  statistics: Statistics,
  samples: ReadableStream<Sample>,
  options: PassOptions,
): Promise<Map<string, Levels>> {
  const asked = exactGrids(statistics, options.target);
  return chooseExact(asked, await trueErrors(judgedGrids(asked), samples, options, "exact"));
}

/** Tensors that share a grid, with the grids that they may have. */
interface AskedGrids {
  readonly spec: SettledSpec;
  readonly tensors: readonly string[];
  readonly candidates: readonly Levels[];
}

/** What {@linkcode exactChoices} has to decide. */
export function exactGrids(statistics: Statistics, target: Target): AskedGrids[] {
  const { activations } = placementFor(statistics, target);
  const grids: AskedGrids[] = [];
  for (
    const { plan, statistics: entry } of gridStatistics(statistics.tensors, activations).values()
  ) {
    const { spec } = settleMethod(plan.spec, entry);
    const candidates = shortlist(entry.histogram, spec);
    if (candidates.length === 0) continue;
    grids.push({ spec, tensors: [plan.tensor, ...plan.sharedWith ?? []], candidates });
  }
  return grids;
}

/** The grids to judge, by tensor. */
export function judgedGrids(asked: readonly AskedGrids[]): Map<string, readonly Levels[]> {
  return new Map(
    asked.flatMap(({ tensors, candidates }) => tensors.map((tensor) => [tensor, candidates])),
  );
}

/** Of what was asked, the grids of least true error, by tensor. */
export function chooseExact(
  asked: readonly AskedGrids[],
  errors: ReadonlyMap<string, readonly TrueError[]>,
): Map<string, Levels> {
  return new Map(asked.map(({ spec, tensors, candidates }) => {
    const trials = addErrors(tensors.map((tensor) => errors.get(tensor)!));
    const key = powerOf(spec) === 1 ? "absolute" : "squared";
    const best = trials.reduce((a, b) => b[key] < a[key] ? b : a);
    return [tensors[0], candidates[trials.indexOf(best)]];
  }));
}

/** Errors of the same grids over several tensors together. */
function addErrors(all: readonly (readonly TrueError[])[]): readonly TrueError[] {
  if (all.length === 1) return all[0];
  return all[0].map(({ levels }, i) => {
    const elements = all.reduce((sum, errors) => sum + errors[i].elements, 0);
    const mean = (key: "squared" | "absolute") =>
      all.reduce((sum, errors) => sum + errors[i][key] * errors[i].elements, 0) / elements;
    return { levels, elements, squared: mean("squared"), absolute: mean("absolute") };
  });
}

/** What `verify` found for one tensor. */
export interface Verified {
  /** Name of the tensor. */
  readonly tensor: string;
  /** ERR that the manifest reports. */
  readonly reported: number;
  /** ERR over the elements. */
  readonly found: number;
  /** Whether it lies within the bounds of the manifest, and the counts agree. */
  readonly isWithin: boolean;
}

/** Relative slack for the rounding of the second pass. */
const SLACK = 1e-11;

/**
 * Proves the errors of a manifest: a second pass sums them over the elements and compares with the bounds.
 * Methods whose error is no MSE or MAE (KL, LP of another power) are left out.
 *
 * @param manifest Made from the same samples.
 */
export async function verify(
  manifest: Manifest,
  samples: ReadableStream<Sample>,
  options: PassOptions,
): Promise<Verified[]> {
  const { target } = options;
  const grids = verifiedGrids(manifest, target);
  return verifiedBy(manifest, target, await trueErrors(grids, samples, options, "verify"));
}

/** Entries of a manifest whose errors can be proved. */
function checkableEntries({ activations }: Manifest, target: Target): ManifestActivation[] {
  return activations.filter((entry) =>
    entry.statistics?.bounds && entry.statistics.error !== null &&
    powerOf(specOf(entry, target)) !== undefined
  );
}

function tensorsOf({ tensor, sharedWith = [] }: ManifestActivation): string[] {
  return [tensor, ...sharedWith];
}

/** The grids whose true errors {@linkcode verifiedBy} wants, by tensor. */
export function verifiedGrids(manifest: Manifest, target: Target): Map<string, readonly Levels[]> {
  return new Map(
    checkableEntries(manifest, target).flatMap((entry) =>
      tensorsOf(entry).map((tensor) => [tensor, [levelsOf(entry)]] as const)
    ),
  );
}

/** Compares the errors of a manifest with the true ones. */
export function verifiedBy(
  manifest: Manifest,
  target: Target,
  errors: ReadonlyMap<string, readonly TrueError[]>,
): Verified[] {
  return checkableEntries(manifest, target).map((entry) => {
    const { error, bounds, elements } = entry.statistics!;
    const [trial] = addErrors(tensorsOf(entry).map((tensor) => errors.get(tensor)!));
    const found = powerOf(specOf(entry, target)) === 1 ? trial.absolute : trial.squared;
    const isWithin = trial.elements === elements &&
      found >= bounds!.lower * (1 - SLACK) && found <= bounds!.upper * (1 + SLACK);
    return { tensor: entry.tensor, reported: error!, found, isWithin };
  });
}

function specOf({ method }: ManifestActivation, target: Target) {
  return { ...target.activation, error: method };
}
