/**
 * `report`: manifest, statistics and what was measured → `report.html`. Needs neither model, data nor inference.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { parseManifest } from "../../tpc/manifest.ts";
import type { Host } from "../../core/host.ts";
import { sha256 } from "../../core/hash.ts";
import { parseDiagnosis, parseEvaluation, parsePlan } from "../../pipeline/report/page/read.ts";
import { reportPage } from "../../pipeline/report/page/render.ts";
import { readPlim } from "../../pipeline/statistics/plim.ts";
import type { Context } from "./context.ts";
import { readJson } from "./files.ts";
import { folder as withoutSlash } from "./option_values.ts";

interface ReportCommandOptions {
  manifest?: string;
  statistics?: string;
  evaluation?: string;
  diagnosis?: string;
  title?: string;
  out?: string;
  json?: boolean;
}

/** Adds the command to the program. */
export function addReportCommand(program: Command, context: Context): void {
  program.command("report")
    .description(
      "draw a report page from a manifest and its statistics; needs neither model nor data",
    )
    .argument("[folder]", "what quantize wrote, or a variant of compare", withoutSlash, "out")
    .option("--manifest <file>", "the manifest (default: manifest.json in the folder)")
    .option(
      "--statistics <file>",
      "its statistics (default: statistics.plim in the folder or above)",
    )
    .option(
      "--evaluation <file>",
      "evaluation.json or comparison.json (default: that in the folder or above, if any)",
    )
    .option("--diagnosis <file>", "diagnosis.json (default: that in the folder, if any)")
    .option("--title <text>", "what the page is called (default: the folder)")
    .option("--out <file>", "the page (default: report.html in the folder)")
    .option("--json", "print the result as JSON on standard output")
    .addHelpText(
      "after",
      `
Examples:
  deno task report                                        out/report.html from what quantize wrote
  deno task report --manifest m6.json --statistics out/statistics.plim --out m6.html
`,
    )
    .action((folder: string, options: ReportCommandOptions) => run(folder, options, context));
}

async function run(
  folder: string,
  options: ReportCommandOptions,
  { host }: Context,
): Promise<void> {
  const { manifest: path = `${folder}/manifest.json`, out = `${folder}/report.html` } = options;
  const manifest = parseManifest(await readJson(host, path), path);
  const statistics = options.statistics ??
    await firstOf(host, [`${folder}/statistics.plim`, `${folder}/../statistics.plim`]) ??
    `${folder}/statistics.plim`;
  const file = await host.readFile(statistics);
  if (await sha256(file) !== manifest.statistics.sha256) {
    throw new PlimsollError("input", {
      action: `drawing the report of ${path}`,
      wanted: `the statistics that it was decided from, SHA-256 ${manifest.statistics.sha256}`,
      found: `${statistics}, which is another file`,
      remedy: "Name the right one with --statistics",
    });
  }
  const evaluation = options.evaluation ??
    await firstOf(host, [`${folder}/evaluation.json`, `${folder}/../comparison.json`]);
  const diagnosis = options.diagnosis ?? await firstOf(host, [`${folder}/diagnosis.json`]);
  const plan = await firstOf(host, [`${folder}/plan.json`]);
  const page = reportPage({
    title: options.title ?? folder.split(/[/\\]/).at(-1)!,
    manifest,
    statistics: await readPlim(file, statistics),
    ...(evaluation === undefined
      ? {}
      : { evaluation: parseEvaluation(await readJson(host, evaluation), evaluation) }),
    ...(diagnosis === undefined
      ? {}
      : { diagnosis: parseDiagnosis(await readJson(host, diagnosis), diagnosis) }),
    ...(plan === undefined ? {} : { plan: parsePlan(await readJson(host, plan), plan) }),
  });
  await host.writeFiles(new Map([[out, page]]));
  host.print(options.json ? canonicalJson({ files: [out] }) : `Wrote ${out}\n`);
}

async function firstOf(host: Host, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await host.fileExists(path)) return path;
  return undefined;
}
