/**
 * The second pass: true errors of given grids, over the elements themselves. It proves what the
 * statistics say (`--verify`) and decides between candidates that they can't tell apart (`--exact`).
 *
 * @module
 */
import { createDirectErrorsCore, type DirectErrors } from "../../wasm/mod.ts";
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
import { type PassOptions, streamActivations } from "./stream_activations.ts";

/** Errors of one grid per element, true within a relative 1e-12. */
export interface TrueError {
  /** The grid. */
  readonly levels: Levels;
  /** Σ (Q(x) − x)² / n. */
  readonly squared: number;
  /** Σ |Q(x) − x| / n. */
  readonly absolute: number;
  /** n. */
  readonly elements: number;
}

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
  const sums = new Map<string, DirectErrors>();
  await streamActivations(samples, options, stage, async () => {
    const core = await createDirectErrorsCore();
    for (const [tensor, levels] of grids) sums.set(tensor, core.create(levels));
    return ({ outputs }) => {
      for (const [tensor, errors] of sums) errors.observe(outputs.get(tensor)!.data);
      return false;
    };
  });
  return new Map([...sums].map(([tensor, errors]) => {
    const elements = errors.count;
    const levels = grids.get(tensor)!;
    return [
      tensor,
      errors.results().map(({ squared, absolute }, i) => ({
        levels: levels[i],
        squared: squared / elements,
        absolute: absolute / elements,
        elements,
      })),
    ];
  }));
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
  const { activations } = placementFor(statistics, options.target);
  const grids: { spec: SettledSpec; tensors: string[]; candidates: Levels[] }[] = [];
  for (
    const { plan, statistics: entry } of gridStatistics(statistics.tensors, activations).values()
  ) {
    const { spec } = settleMethod(plan.spec, entry);
    const candidates = shortlist(entry.histogram, spec);
    if (candidates.length === 0) continue;
    grids.push({ spec, tensors: [plan.tensor, ...plan.sharedWith ?? []], candidates });
  }
  const judged = new Map(
    grids.flatMap(({ tensors, candidates }) => tensors.map((tensor) => [tensor, candidates])),
  );
  const errors = await trueErrors(judged, samples, options, "exact");
  return new Map(grids.map(({ spec, tensors, candidates }) => {
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
  const checkable = manifest.activations.filter(({ statistics }) =>
    statistics?.bounds && statistics.error !== null
  )
    .filter((entry) => powerOf(specOf(entry, options)) !== undefined);
  const tensorsOf = ({ tensor, sharedWith = [] }: ManifestActivation) => [tensor, ...sharedWith];
  const grids = new Map(
    checkable.flatMap((entry) =>
      tensorsOf(entry).map((tensor) => [tensor, [levelsOf(entry)]] as const)
    ),
  );
  const errors = await trueErrors(grids, samples, options, "verify");
  return checkable.map((entry) => {
    const { error, bounds, elements } = entry.statistics!;
    const [trial] = addErrors(tensorsOf(entry).map((tensor) => errors.get(tensor)!));
    const found = powerOf(specOf(entry, options)) === 1 ? trial.absolute : trial.squared;
    const isWithin = trial.elements === elements &&
      found >= bounds!.lower * (1 - SLACK) && found <= bounds!.upper * (1 + SLACK);
    return { tensor: entry.tensor, reported: error!, found, isWithin };
  });
}

function specOf({ method }: ManifestActivation, { target }: PassOptions) {
  return { ...target.activation, error: method };
}
