/**
 * Options that several commands share, with their checks.
 *
 * @module
 */
import { type Command, Option } from "commander";
import {
  CONSTRAINTS,
  GRANULARITIES,
  METHOD_CHOICES,
  SIGNEDNESS,
  WEIGHT_METHODS,
} from "../../core/types.ts";
import { type Format, FORMATS } from "../../pipeline/source/format.ts";
import {
  bitCount,
  blockSize,
  labelPattern,
  numberFrom,
  positiveInteger,
  shape,
} from "./option_values.ts";
import { PROGRESS_FORMS } from "./screen.ts";
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
}

/** `--target` and what overrides it. */
export interface TargetOptions {
  target: string;
  error?: (typeof METHOD_CHOICES)[number];
  bits?: number;
  weightBits?: number;
  weightConstraint?: (typeof CONSTRAINTS)[number];
  weightGranularity?: (typeof GRANULARITIES)[number];
  weightError?: (typeof WEIGHT_METHODS)[number];
  weightLpP?: number;
  weightBlock?: number;
  weightClip?: "yes" | "no";
  biasCorrection?: "yes" | "no";
  reluBounds?: "yes" | "no";
  equalize?: "yes" | "no";
  shiftNegative?: "yes" | "no";
  constraint?: (typeof CONSTRAINTS)[number];
  signed?: (typeof SIGNEDNESS)[number];
  lpP?: number;
  percentile?: number;
  zThreshold?: number;
  override?: string[];
}

/** How `--model` is read. */
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
        `${what}: folder of images, ${
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

/** An option that says yes or no, and leaves it to the target when it is absent. */
function yesOrNo(flags: string, description: string): Option {
  return new Option(flags, description).choices(["yes", "no"]);
}

/** Adds `--target` and what overrides it. */
export function addTargetOptions(command: Command): Command {
  return command
    .option("--target <name|file>", "target platform capabilities", "default")
    .addOption(
      new Option("--error <method>", "how thresholds are chosen (default: the target's)").choices(
        METHOD_CHOICES,
      ),
    )
    .option(
      "--bits <n>",
      "bits of activations, 2 to 16 (default: the target's)",
      bitCount(16),
    )
    .addOption(
      new Option("--constraint <kind>", "allowed thresholds (default: the target's)").choices(
        CONSTRAINTS,
      ),
    )
    .addOption(
      new Option("--signed <when>", "signed codes (default: the target's)").choices(SIGNEDNESS),
    )
    .option("--lp-p <p>", "exponent of --error lp (default: 2)", numberFrom(1, 16))
    .option(
      "--percentile <p>",
      "percent of the elements that --error percentile keeps (default: 99.999)",
      numberFrom(1e-6, 100),
    )
    .option(
      "--z-threshold <z>",
      "leave elements beyond z standard deviations out of the search (default: none)",
      numberFrom(1e-6, 1e6),
    )
    .option("--weight-bits <n>", "bits of weights, 2 to 8 (default: the target's)", bitCount(8))
    .addOption(
      new Option("--weight-constraint <kind>", "allowed grids of weights (default: the target's)")
        .choices(CONSTRAINTS),
    )
    .addOption(
      new Option(
        "--weight-granularity <whose>",
        "weights that share a step (default: the target's)",
      )
        .choices(GRANULARITIES),
    )
    .addOption(
      new Option("--weight-error <method>", "how weight steps are chosen (default: the target's)")
        .choices(WEIGHT_METHODS),
    )
    .option(
      "--weight-block <n>",
      "weights in a block of --weight-granularity block: 16, 32, 64, 128 or 256 (default: 32)",
      blockSize,
    )
    .option("--weight-lp-p <p>", "exponent of --weight-error lp (default: 2)", numberFrom(1, 16))
    .addOption(
      yesOrNo(
        "--weight-clip <allowed>",
        "whether a weight may be clipped by more than half a step (default: the target's)",
      ),
    )
    .addOption(
      yesOrNo(
        "--bias-correction <wanted>",
        "whether what rounding weights adds on average is taken out of the bias (default: the target's, yes)",
      ),
    )
    .addOption(
      yesOrNo(
        "--relu-bounds <wanted>",
        "move bounds of ReLU6 to powers of two, an exact rewrite (default: where thresholds are powers of two)",
      ),
    )
    .addOption(
      yesOrNo(
        "--equalize <wanted>",
        "share the range of weights between neighbouring layers; one more pass over the samples (default: no)",
      ),
    )
    .addOption(
      yesOrNo(
        "--shift-negative <wanted>",
        "shift activations with a small negative side to start at zero; one more pass (default: no)",
      ),
    )
    .option(
      "--override <json|file>",
      "settings for tensors, nodes or operators by name or pattern; may be given several times",
      (text: string, before: string[] = []) => [...before, text],
    );
}

/** Adds `--requantize`. */
export function addModelOptions(command: Command): Command {
  return command.option(
    "--requantize",
    "take a QDQ model: the real values of its weights, without its quantizers (default: refuse it)",
  );
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
