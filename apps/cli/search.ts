/**
 * `search`: statistics, target, method → manifest. Needs no data and no inference.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { sha256 } from "../../core/hash.ts";
import { thresholdReport } from "../../pipeline/report/thresholds.ts";
import { decideFromStatistics } from "../../pipeline/search/decide_from_statistics.ts";
import { readPlim } from "../../pipeline/statistics/plim.ts";
import type { Context } from "./context.ts";
import { loadModel, loadRecipe } from "./inputs.ts";
import {
  addOutputOptions,
  addTargetOptions,
  type OutputOptions,
  type TargetOptions,
} from "./options.ts";
import { SEARCHED_WISHES } from "./wish_options.ts";

interface SearchCommandOptions extends TargetOptions, OutputOptions {
  statistics: string;
  model?: string;
  out: string;
}

/** Adds the command to the program. */
export function addSearchCommand(program: Command, context: Context): void {
  const command = program.command("search")
    .description("choose thresholds from a statistics file; needs neither data nor inference")
    .option("--statistics <file>", "statistics file", "out/statistics.plim")
    .option(
      "--model <file>",
      "float model, to search the steps of its weights, too (default: emit does)",
    );
  addOutputOptions(addTargetOptions(command, SEARCHED_WISHES))
    .option("--out <file>", "the manifest", "out/manifest.json")
    .addHelpText(
      "after",
      `
Examples:
  deno task search --error noclipping --out out/noclipping.json
  deno task search --statistics m.plim --bits 6 --out m6.json
`,
    )
    .action((options: SearchCommandOptions) => run(options, context));
}

async function run(options: SearchCommandOptions, { host }: Context): Promise<void> {
  const resolved = await loadRecipe(host, options);
  const file = await host.readFile(options.statistics);
  const statistics = await readPlim(file, options.statistics);
  const { rewrites } = statistics;
  const manifest = await decideFromStatistics({
    statistics,
    statisticsSha256: await sha256(file),
    resolved,
    ...(options.model === undefined ? {} : {
      model:
        (await loadModel(host, options.model, { requantize: resolved.recipe.requantize, rewrites }))
          .prepared,
    }),
  });
  await host.writeFiles(new Map([[options.out, canonicalJson(manifest)]]));
  host.print(
    options.json ? canonicalJson(manifest) : `${thresholdReport(manifest)}Wrote ${options.out}\n`,
  );
}
