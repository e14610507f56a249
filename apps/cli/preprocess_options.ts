/**
 * `--preprocess` and what overrides it.
 *
 * @module
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { INTERPOLATIONS } from "../../wasm/image.ts";
import type { Host } from "../../core/host.ts";
import {
  overridePreprocessing,
  parseCrop,
  parsePreprocessing,
  parseResize,
  type Preprocessing,
  PREPROCESSING_NAMES,
  presetPreprocessing,
} from "../../tpc/recipe/preprocessing.ts";
import { preprocessingFrom } from "../../pipeline/source/preprocessor_config.ts";
import { besideData, readJson, sibling } from "./files.ts";
import { finiteNumber, numberList, positiveInteger } from "./option_values.ts";

/** Options of {@linkcode addPreprocessOptions}. */
export interface PreprocessOptions {
  preprocess?: string;
  resize?: Preprocessing["resize"];
  crop?: Preprocessing["crop"];
  interpolation?: Preprocessing["interpolation"];
  channelOrder?: Preprocessing["channelOrder"];
  scale?: number;
  mean?: number[];
  std?: number[];
  layout?: "NCHW" | "NHWC";
  maxPixels?: number;
}

/** Adds `--preprocess` and its companions. */
export function addPreprocessOptions(command: Command): Command {
  return command
    .option(
      "--preprocess <name|file>",
      `${PREPROCESSING_NAMES.join(", ")}, or a JSON file of ours or of Hugging Face (default: ` +
        "preprocess.json beside the data, or preprocessor_config.json beside the model)",
    )
    .option(
      "--resize <n|w×h>",
      "shortest side, or width and height, as 256 or 320x240",
      choice(parseResize),
    )
    .option("--crop <n|w×h>", "window around the centre, as 224 or 320x240", choice(parseCrop))
    .addOption(
      new Option("--interpolation <filter>", "filter of resizing (default: bilinear)")
        .choices(INTERPOLATIONS),
    )
    .addOption(
      new Option("--channel-order <order>", "order of the model's channels (default: RGB)")
        .choices(["RGB", "BGR"]),
    )
    .option("--scale <x>", "factor for pixels 0 … 255 (default: 1/255)", finiteNumber)
    .option(
      "--mean <x,…>",
      "subtracted after scaling; one or one per channel (default: 0)",
      numberList,
    )
    .option("--std <x,…>", "divisor after that; one or one per channel (default: 1)", numberList)
    .addOption(
      new Option("--layout <order>", "order of the model's axes (default: NCHW)").choices([
        "NCHW",
        "NHWC",
      ]),
    )
    .option(
      "--max-pixels <n>",
      "images of more pixels are refused before they are decoded (default: 25165824)",
      positiveInteger,
    );
}

function choice<T>(parse: (text: string) => T | undefined) {
  return (text: string): T => {
    const value = parse(text);
    if (value === undefined) {
      throw new InvalidArgumentError("Give 256, or width and height as 320x240.");
    }
    return value;
  };
}

/**
 * Options over `--preprocess` over the recipe's over `preprocess.json` beside the data over `preprocessor_config.json` beside the
 * model over the defaults.
 *
 * @param data Path of the data.
 * @param model Path of the model, when it has one.
 */
export async function loadPreprocessing(
  host: Host,
  data: string,
  model: string | undefined,
  options: PreprocessOptions & {
    readonly recipePreprocessing?: Preprocessing;
    readonly implied?: Partial<Preprocessing>;
  },
): Promise<Preprocessing> {
  const { preprocess: name, recipePreprocessing, implied } = options;
  const base = (name === undefined ? recipePreprocessing : presetPreprocessing(name)) ??
    await readPreprocessing(host, name ?? await fileBeside(host, data, model), implied);
  return overridePreprocessing(base, { ...options }, name ?? "options");
}

async function fileBeside(host: Host, data: string, model: string | undefined) {
  const own = await besideData(host, data, "preprocess.json");
  if (own !== undefined || model === undefined) return own;
  const config = sibling(model, "preprocessor_config.json");
  return await host.fileExists(config) ? config : undefined;
}

async function readPreprocessing(
  host: Host,
  file: string | undefined,
  implied: Partial<Preprocessing> = {},
): Promise<Preprocessing> {
  if (file === undefined) return parsePreprocessing(implied, "options");
  return preprocessingFrom(await readJson(host, file), file);
}
