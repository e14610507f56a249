/**
 * Decisions where statistics are all that there is: wishes that would take the samples again are refused.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import type { ResolvedRecipe } from "../../tpc/recipe/recipe.ts";
import { furtherPasses } from "../../tpc/recipe/wishes.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { decide, type DecideInput } from "./decide.ts";

/** What {@linkcode decideFromStatistics} starts from. */
export interface StatisticsInput
  extends Pick<DecideInput, "statistics" | "statisticsSha256" | "model"> {
  /** What is wished. */
  readonly resolved: ResolvedRecipe;
}

/**
 * Chooses every threshold from statistics alone; see `decide`.
 *
 * @throws {PlimsollError} kind `usage` for wishes that need another pass over the samples, or rewrites that the
 * statistics were made without.
 */
export async function decideFromStatistics(
  { statistics, statisticsSha256, model, resolved: { recipe, target } }: StatisticsInput,
): Promise<Manifest> {
  const fail = (wanted: string, found: string) =>
    new PlimsollError("usage", {
      action: "deciding from a statistics file",
      wanted,
      found,
      remedy: "Quantize from the samples, or leave that wish out",
    });
  const [pass] = furtherPasses(recipe).filter((stage) => stage !== "ranges");
  if (pass !== undefined) {
    throw fail("wishes that need no samples", `one that takes a pass (${pass})`);
  }
  const missing = missingRewrite(statistics, target);
  if (missing !== undefined) {
    throw fail(`statistics made with ${missing}`, "statistics made without");
  }
  return await decide({ statistics, statisticsSha256, target, model, recipe });
}

/** A rewrite that the target wants and the statistics' graph lacks. */
function missingRewrite({ rewrites }: Statistics, target: Target): string | undefined {
  const { equalization, shiftNegative } = target.rewrites ?? {};
  if (equalization && rewrites.equalization === undefined) return "equalization";
  if (shiftNegative && rewrites.shiftNegative === undefined) return "shift-negative";
  return undefined;
}
