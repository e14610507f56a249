/**
 * `plan`: statistics, sensitivity, costs → recipe of a plan. Needs no model, no data and no inference.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { planFrom } from "../../pipeline/plan/plan_from_sensitivity.ts";
import { withEverything } from "../../pipeline/quantize/plan_loop.ts";
import { expectedPlanReport } from "../../pipeline/report/plan.ts";
import { placementFor } from "../../pipeline/search/placement.ts";
import { readPlim } from "../../pipeline/statistics/plim.ts";
import { resolveRecipe } from "../../tpc/recipe/recipe.ts";
import type { Context } from "./context.ts";
import { loadRecipe } from "./inputs.ts";
import {
  addOutputOptions,
  addTargetOptions,
  type OutputOptions,
  type TargetOptions,
} from "./options.ts";
import { addLimitOptions, type PlanOptions, planWish } from "./plan_options.ts";
import { SEARCHED_WISHES } from "./wish_options.ts";

interface PlanCommandOptions extends TargetOptions, OutputOptions, PlanOptions {
  statistics: string;
  out: string;
}

/** Adds the command to the program. */
export function addPlanCommand(program: Command, context: Context): void {
  const command = program.command("plan")
    .description(
      "plan bits and floats layer by layer from what `quantize --plan` has measured; needs neither model nor data",
    )
    .option("--statistics <file>", "statistics file of `quantize --plan`", "out/statistics.plim");
  addOutputOptions(addLimitOptions(addTargetOptions(command, SEARCHED_WISHES)))
    .option("--out <file>", "the recipe, for `search` and `quantize`", "out/recipe.json")
    .addHelpText(
      "after",
      `
Examples:
  deno task plan --target imx500 --sensitivity out/sensitivity.json --bits-budget 5
  deno task search --recipe out/recipe.json --out out/planned.json
  deno task emit --manifest out/planned.json --out out/planned.onnx
`,
    )
    .action((options: PlanCommandOptions) => run(options, context));
}

async function run(options: PlanCommandOptions, { host }: Context): Promise<void> {
  const wish = await planWish(host, { ...options, plan: true });
  if (wish?.sensitivity === undefined) {
    throw new PlimsollError("usage", {
      action: "planning from statistics",
      wanted: `what quantizers cost, with ${option("sensitivity")}`,
      found: "none",
      remedy: "Give the sensitivity.json that `quantize --plan` wrote beside the statistics",
    });
  }
  const { recipe: wished } = await loadRecipe(host, options);
  const { recipe, target } = resolveRecipe(withEverything(wished));
  const statistics = await readPlim(await host.readFile(options.statistics), options.statistics);
  if (statistics.model.sha256 !== wish.sensitivity.model.sha256) {
    throw new PlimsollError("usage", {
      action: "planning from statistics",
      wanted: `sensitivities of the model with SHA-256 ${statistics.model.sha256}`,
      found: `those of ${wish.sensitivity.model.sha256}`,
      remedy: "Give files that were written together",
    });
  }
  const { sensitivity } = wish;
  const placement = placementFor(statistics, target);
  const plan = planFrom({ statistics, placement, target, wish: { ...wish, sensitivity } });
  const planned = { ...recipe, overrides: [...recipe.overrides ?? [], ...plan.overrides] };
  await host.writeFiles(new Map([[options.out, canonicalJson(planned)]]));
  const { overrides: _, ...told } = plan;
  host.print(
    options.json ? canonicalJson(told) : `${expectedPlanReport(plan)}Wrote ${options.out}\n`,
  );
}
