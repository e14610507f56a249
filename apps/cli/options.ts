/**
 * Options that several commands share, with their checks.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { type Format, FORMATS } from "../../pipeline/source/format.ts";
import type { Wishes } from "../../tpc/recipe/wishes.ts";
import { labelPattern, positiveInteger, shape } from "./option_values.ts";
import { PROGRESS_FORMS } from "./screen.ts";
import { addWishOptions, type IsOffered } from "./wish_options.ts";
import { addPreprocessOptions, type PreprocessOptions } from "./preprocess_options.ts";

/** `--data` and what belongs to it. */
export interface DataOptions extends PreprocessOptions {
  data?: string;
  samples?: number;
  batch?: number;
  dataFormat?: Format;
  inputShape?: number[];
  labels?: string;
  labelPattern?: RegExp;
  onBroken?: "fail" | "skip";
  tokenizer?: string;
}

/** `--target`, `--recipe`, and the wishes over them. */
export interface TargetOptions extends Wishes {
  target?: string;
  recipe?: string;
  override?: string[];
}

/** How a model is read where no recipe is. */
export interface ModelOptions {
  requantize?: boolean;
}

/** How results are printed. */
export interface OutputOptions {
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
  progress?: (typeof PROGRESS_FORMS)[number];
  color?: boolean;
}

/** Adds `--data` and its companions. */
export function addDataOptions(command: Command, what: string): Command {
  return addPreprocessOptions(
    command
      .option(
        "--data <path|url|->",
        `${what}: folder of images, text as NDJSON or lines (docs/text.md), ${
          FORMATS.join(", ")
        }, plain or gzip, or standard input (default: the demo's)`,
      )
      .addOption(
        new Option("--data-format <name>", "what the data are (default: by name and first bytes)")
          .choices(FORMATS),
      )
      .option("--input-shape <d×d…>", "shape of a sample of raw float32 values, 3x224x224", shape)
      .option(
        "--labels <file>",
        "CSV or JSON with path and label, or a label a sample (default: the container's, or class folders)",
      )
      .option(
        "--label-pattern <regex>",
        "labels from file names: the first group is the class index, '^(\\d+)_'",
        labelPattern,
      )
      .option(
        "--tokenizer <file>",
        "tokenizer.json for samples of text (default: beside the model, or a folder above)",
      )
      .addOption(
        new Option("--on-broken <policy>", "what becomes of samples that can't be read")
          .choices(["fail", "skip"]).default("fail"),
      )
      .option("--samples <n>", "use at most this many samples", positiveInteger)
      .option(
        "--batch <n>",
        "samples per inference run; never changes a result (default: 1 to 8, by their size)",
        positiveInteger,
      ),
  );
}

/** Adds `--target`, `--recipe`, `--override`, and the wishes that the command can honour. */
export function addTargetOptions(command: Command, isOffered: IsOffered): Command {
  command
    .option(
      "--target <name|file>",
      "target platform capabilities (default: the recipe's, else default)",
    )
    .option(
      "--recipe <file>",
      "a recipe, or a manifest, whose run is repeated; other options come before it",
    );
  return addWishOptions(command, isOffered).option(
    "--override <json|file>",
    "settings for tensors, nodes or operators by name or pattern; may be given several times",
    (text: string, before: string[] = []) => [...before, text],
  );
}

/** Adds `--requantize` alone, for commands that take no recipe. */
export function addModelOptions(command: Command): Command {
  return addWishOptions(command, (_, key) => key === "requantize");
}

/** Adds `--json`, and how standard error looks. */
export function addOutputOptions(command: Command): Command {
  return command
    .option("--json", "print the result as JSON on standard output")
    .option("--quiet", "nothing on standard error but errors, and what is lost")
    .option("--verbose", "say more on standard error: what each step decided, where the time went")
    .addOption(
      new Option(
        "--progress <form>",
        "progress on standard error: a bar on a terminal and lines elsewhere, lines, or a JSON object a line (docs/progress.md)",
      ).choices(PROGRESS_FORMS).default("auto"),
    )
    .option("--no-color", "no colours; NO_COLOR and FORCE_COLOR are heard, too");
}
