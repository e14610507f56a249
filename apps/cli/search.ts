/**
 * `search`: statistics, target, method → manifest. Needs no data and no inference.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { sha256 } from "../../core/hash.ts";
import { thresholdReport } from "../../pipeline/report/thresholds.ts";
import { decide } from "../../pipeline/search/decide.ts";
import { readPlim } from "../../pipeline/statistics/plim.ts";
import type { Context } from "./context.ts";
import { loadModel, loadTarget } from "./inputs.ts";
import {
  addModelOptions,
  addOutputOptions,
  addTargetOptions,
  type ModelOptions,
  type OutputOptions,
  type TargetOptions,
} from "./options.ts";

interface SearchCommandOptions extends TargetOptions, ModelOptions, OutputOptions {
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
  addOutputOptions(addModelOptions(addTargetOptions(command)))
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
  const target = await loadTarget(host, options);
  const file = await host.readFile(options.statistics);
  const statistics = await readPlim(file, options.statistics);
  const { rewrites } = statistics;
  const manifest = await decide({
    statistics,
    statisticsSha256: await sha256(file),
    target,
    ...(options.model === undefined
      ? {}
      : { model: (await loadModel(host, options.model, { ...options, rewrites })).prepared }),
  });
  await host.writeFiles(new Map([[options.out, canonicalJson(manifest)]]));
  host.print(
    options.json ? canonicalJson(manifest) : `${thresholdReport(manifest)}Wrote ${options.out}\n`,
  );
}
