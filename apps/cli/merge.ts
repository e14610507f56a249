/**
 * `merge`: several statistics files → one.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { mergeStatistics } from "../../pipeline/statistics/merge_statistics.ts";
import { readPlim, writePlim } from "../../pipeline/statistics/plim.ts";
import type { Statistics } from "../../pipeline/statistics/statistics.ts";
import type { Context } from "./context.ts";
import { addOutputOptions, type OutputOptions } from "./options.ts";

interface MergeCommandOptions extends OutputOptions {
  out: string;
}

/** Adds the command to the program. */
export function addMergeCommand(program: Command, context: Context): void {
  const command = program.command("merge")
    .description(
      "join statistics files of the same model and preprocessing, as one run would have made them",
    )
    .argument("<files...>", "statistics files that cover different samples");
  addOutputOptions(command)
    .option("--out <file>", "the joined statistics file", "out/statistics.plim")
    .addHelpText(
      "after",
      `
Examples:
  deno task calibrate --shard 1/2 --out 1.plim
  deno task calibrate --shard 2/2 --out 2.plim
  deno task merge 1.plim 2.plim --out all.plim
`,
    )
    .action((files: string[], options: MergeCommandOptions) => run(files, options, context));
}

async function run(
  files: string[],
  options: MergeCommandOptions,
  { host }: Context,
): Promise<void> {
  await host.checkWritable(options.out);
  const parts: Statistics[] = [];
  for (const file of files) parts.push(await readPlim(await host.readFile(file), file));
  const merged = mergeStatistics(parts, files);
  await host.writeFiles(new Map([[options.out, await writePlim(merged)]]));
  const { data, tensors } = merged;
  host.print(
    options.json
      ? canonicalJson({ file: options.out, data, tensors: tensors.length })
      : `Statistics of ${tensors.length} tensors from ${data.samples} samples in ${files.length} files\n` +
        `Wrote ${options.out}\n`,
  );
}
