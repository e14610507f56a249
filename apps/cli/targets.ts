/**
 * `targets`: the presets, and one target explained.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { presetTarget, TARGET_NAMES } from "../../tpc/targets/read_target.ts";
import { targetList, targetReport, targetSummary } from "../../pipeline/report/targets.ts";
import type { Context } from "./context.ts";
import { loadRecipe } from "./inputs.ts";

interface TargetsCommandOptions {
  json?: boolean;
}

/** Adds the command to the program. */
export function addTargetsCommand(program: Command, { host }: Context): void {
  const print = (options: TargetsCommandOptions, value: unknown, text: string) =>
    host.print(options.json ? canonicalJson(value) : text);
  const command = program.command("targets")
    .description("list the targets that come with plimsoll, or explain one")
    .option("--json", "print JSON on standard output")
    .addHelpText(
      "after",
      `
Examples:
  deno task targets                                the presets
  deno task targets show tflite                    what becomes of each operator
  deno task targets show mine.json                 a file of your own, completed by what it extends
  deno task targets show mct.json --json > t.json  a platform of Sony's MCT as a target to edit

docs/targets.md explains every field.
`,
    )
    .action((options: TargetsCommandOptions) => {
      const targets = TARGET_NAMES.map((name) => presetTarget(name)!);
      print(options, targets.map(targetSummary), targetList(targets));
    });
  command.command("show")
    .description("explain one target; with --json the whole of it, as a TPC file")
    .argument("<name|file>", "a preset, a TPC file, or a platform of Sony's MCT")
    // `--json` belongs to `targets`, which takes it wherever it stands.
    .action(async (name: string, _own: unknown, { parent }: Command) => {
      const { target } = await loadRecipe(host, { target: name });
      print(parent!.opts(), target, targetReport(target));
    });
}
