/**
 * From options of a request to target and preprocessing.
 *
 * @module
 */
import { applyChoices } from "../../tpc/targets/apply_choices.ts";
import {
  addOverrides,
  presetTarget,
  readTarget,
  TARGET_NAMES,
} from "../../tpc/targets/read_target.ts";
import type { Target } from "../../tpc/targets/target.ts";
import {
  overridePreprocessing,
  parseCrop,
  parsePreprocessing,
  parseResize,
  type Preprocessing,
  PREPROCESSING_NAMES,
  presetPreprocessing,
} from "../../pipeline/source/preprocess.ts";
import { preprocessingFrom } from "../../pipeline/source/preprocessor_config.ts";
import type { Options } from "./options.ts";
import { Problem } from "./problem.ts";

/**
 * The target that a request wants.
 *
 * @param onNote Told what an imported platform loses.
 * @throws {Problem} `usage`, and {PlimsollError} kind `target`.
 */
export function targetOf(options: Options, onNote: (text: string) => void): Target {
  const { target: wanted = "default", override, ...choices } = options;
  const target = applyChoices(baseTarget(wanted, onNote), choices, "the options");
  return addOverrides(target, override ?? []);
}

function baseTarget(wanted: NonNullable<Options["target"]>, onNote: (text: string) => void) {
  if (typeof wanted !== "string") {
    const { target, notes } = readTarget(wanted, "option target");
    notes.forEach(onNote);
    return target;
  }
  const preset = presetTarget(wanted);
  if (preset !== undefined) return preset;
  throw new Problem(
    "usage",
    `While reading the options: wanted target ${
      TARGET_NAMES.join(", ")
    }, or a target file's JSON, found ${JSON.stringify(wanted)}.`,
  );
}

/**
 * The preprocessing that a request wants.
 *
 * @throws {Problem} `usage`, and {PlimsollError} kind `input`.
 */
export function preprocessingOf(options: Options): Preprocessing {
  const { resize, crop } = options;
  const sizes = {
    resize: resize === undefined ? undefined : parseResize(resize),
    crop: crop === undefined ? undefined : parseCrop(crop),
  };
  const base = basePreprocessing(options.preprocess);
  return overridePreprocessing(base, { ...options, ...sizes }, "the options");
}

function basePreprocessing(wanted: Options["preprocess"]): Preprocessing {
  if (wanted === undefined) return parsePreprocessing({}, "the options");
  if (typeof wanted !== "string") return preprocessingFrom(wanted, "option preprocess");
  const preset = presetPreprocessing(wanted);
  if (preset !== undefined) return preset;
  throw new Problem(
    "usage",
    `While reading the options: wanted preprocess ${
      PREPROCESSING_NAMES.join(", ")
    }, or a preprocessing file's JSON, found ${JSON.stringify(wanted)}.`,
  );
}
