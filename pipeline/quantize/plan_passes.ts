/**
 * Which passes over the samples recipes take, which of them they share, and whether samples can give them.
 *
 * What is exposed of a model decides the last bits of its activations, so statistics serve exactly those recipes that
 * watch the same tensors of the same graph: then each gets what a calibration for it alone would give.
 *
 * @module
 */
import { isSeveral } from "../workers/worker_count.ts";
import { compactJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { groupBy } from "../../core/group_by.ts";
import { option } from "../../core/option_words.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import { withoutPlan } from "../../tpc/placement/overrides.ts";
import { resolve } from "../../tpc/placement/resolve.ts";
import type { Recipe } from "../../tpc/recipe/recipe.ts";
import { furtherPasses } from "../../tpc/recipe/wishes.ts";
import { addOverrides } from "../../tpc/targets/read_target.ts";
import type { Override, Target } from "../../tpc/targets/target.ts";
import { migratedTensors, migrationKey } from "../passes/learn_migration.ts";
import { needsData } from "../passes/learn_rewrites.ts";
import { watchedFor } from "../search/placement.ts";
import type { FrontWish, PlanWish } from "../plan/plan.ts";
import type { FloatModel } from "./float_model.ts";
import type { RunOptions } from "./run.ts";
import type { SampleOpener } from "../source/samples.ts";

/** A recipe on its way, with the float model that it starts from. */
export interface Planned {
  /** What to call it. */
  readonly name: string;
  readonly recipe: Recipe;
  readonly target: Target;
  readonly float: FloatModel;
  /** Whether its result is neither run nor judged. */
  readonly isUnchecked?: true;
  /** What is planned, unit by unit, once statistics are there. */
  readonly plan?: PlanWish;
  /** Whether the whole front is wanted of it. */
  readonly front?: FrontWish;
}

/**
 * A variant with further overrides behind its own; its recipe says so.
 *
 * @throws {PlimsollError} kind `target` for one that the target doesn't allow.
 */
export function withOverrides(variant: Planned, overrides: readonly Override[]): Planned {
  const { recipe, target } = variant;
  return {
    ...variant,
    recipe: { ...recipe, overrides: [...recipe.overrides ?? [], ...overrides] },
    target: addOverrides(target, overrides),
  };
}

/** Recipes by what the same statistics serve. */
export function calibrationGroups(variants: readonly Planned[]): Planned[][] {
  return [...groupBy(variants, calibrationKey).values()];
}

/** Recipes by the pass that their rewrites are learned from. */
export function learningGroups(variants: readonly Planned[]): Planned[][] {
  return [...groupBy(variants, learningKey).values()];
}

function calibrationKey({ float: { prepared, rewrites, rewritten }, target }: Planned): string {
  return compactJson({
    // What found nothing to do has left the graph as it was.
    rewrites: rewritten.length === 0 ? {} : rewrites,
    ...watchedFor(outlineGraph(prepared.graph), target),
  });
}

function learningKey(planned: Planned): string {
  const { float: { prepared }, target } = planned;
  const { equalization = false, shiftNegative = false } = target.rewrites ?? {};
  // Only activations with power-of-two thresholds are shifted.
  const constraints = shiftNegative
    ? resolve(outlineGraph(prepared.graph), withoutPlan(target)).activations.map(({ spec }) =>
      spec.constraint === "pot"
    )
    : [];
  return compactJson({ equalization, shiftNegative, constraints, key: calibrationKey(planned) });
}

/** Recipes by what scale migration learns for them. */
export function migrationGroups(variants: readonly Planned[]): Planned[][] {
  const key = (planned: Planned) =>
    calibrationKey(planned) + migrationKey(planned.float.prepared, planned.target);
  return [...groupBy(variants, key).values()];
}

/** Whether a recipe's samples are looked at for scale migration. */
export function migrates({ float: { prepared }, target }: Planned): boolean {
  return migratedTensors(prepared, target).length > 0;
}

/** What passes are called. */
export const PASS_NAMES = {
  ranges: "a pass of ranges for rewrites",
  calibrate: "a calibration pass",
  exact: "a pass of true errors",
  output: "a pass of held-out samples",
  round: "a pass of moments for rounding",
  layers: "a pass of samples to fit layers to",
} as const;

/**
 * Refuses, before any work, what can't be: passes that samples can't give which are read once, and what looks at samples
 * again that the calibration may leave out.
 *
 * @throws {PlimsollError} kind `usage`.
 */
export function refuseImpossible(
  variants: readonly Planned[],
  { isOneShot, name = "samples that can be read once" }: SampleOpener,
  { onNonFinite, workers = 1, watch, resume, checkpoint }: RunOptions,
): void {
  const fail = (wanted: string, found: string, remedy: string) =>
    new PlimsollError("usage", {
      action: "planning the passes over the samples",
      wanted,
      found,
      remedy,
    });
  const groups = calibrationGroups(variants);
  const further = variants.map((variant) => ({
    name: variant.name,
    passes: furtherPasses(variant.recipe).filter((stage) => stage !== "ranges"),
    isLearned: needsData(variant.target) ||
      variant.recipe.scaleMigration === true && migrates(variant),
  }));
  const second = further.find(({ passes }) => passes.length > 0);
  const learned = further.find(({ isLearned }) => isLearned);
  if (isOneShot) {
    const found = second !== undefined
      ? `${name}, and ${second.name}, which takes ${PASS_NAMES[second.passes[0]]}`
      : learned !== undefined
      ? `${name}, and ${learned.name}, which takes ${PASS_NAMES.ranges}`
      : groups.length > 1
      ? `${name}, and ${groups.length} calibration passes`
      : undefined;
    if (found !== undefined) {
      throw fail(
        "samples that can be read more than once",
        found,
        "Give a file, a folder or a list, or leave out what takes another pass",
      );
    }
  }
  if (onNonFinite === "skip" && second !== undefined) {
    throw fail(
      "a second pass over samples that all count",
      `${option("onNonfinite", "skip")}, and ${PASS_NAMES[second.passes[0]]}`,
      "Leave one of the two out",
    );
  }
  if (groups.length > 1 && (resume ?? checkpoint) !== undefined) {
    throw fail(
      "one calibration pass, which a checkpoint belongs to",
      `${groups.length} passes`,
      `Leave ${option("checkpoint")} out, or quantize the recipes one by one`,
    );
  }
  if (isSeveral(workers) && watch !== undefined) {
    throw fail(
      "one worker where statistics are watched",
      option("workers", workers),
      `Leave ${option("workers")} or ${option("untilStable")} out`,
    );
  }
}
