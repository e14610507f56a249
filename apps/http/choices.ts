/**
 * From options of a request to target and preprocessing.
 *
 * @module
 */
import { isExpression } from "../../tpc/placement/overrides.ts";
import { type ResolvedRecipe, resolveRecipe } from "../../tpc/recipe/recipe.ts";
import { parseWish } from "../../tpc/recipe/wish.ts";
import { WISH_ENTRIES } from "../../tpc/recipe/wishes.ts";
import { checkOverrides, TARGET_NAMES } from "../../tpc/targets/read_target.ts";
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
import type { Options } from "./options.ts";
import { Problem } from "./problem.ts";

/**
 * The recipe that a request wants.
 *
 * @param onNote Told what an imported platform loses.
 * @throws {Problem} `usage`, and {PlimsollError} kinds `usage` and `target`.
 */
export function recipeOf(options: Options, onNote: (text: string) => void): ResolvedRecipe {
  const { target = "default", override = [] } = options;
  if (typeof target === "string" && !TARGET_NAMES.includes(target)) {
    throw new Problem(
      "usage",
      `While reading the options: wanted target ${
        TARGET_NAMES.join(", ")
      }, or a target file's JSON, found ${JSON.stringify(target)}.`,
    );
  }
  const wishes = Object.fromEntries(
    WISH_ENTRIES.flatMap(([key, wish]) => {
      const value = (options as Record<string, unknown>)[key];
      if (value === undefined) return [];
      return [[key, typeof value === "string" ? parseWish(wish, value) : value]];
    }),
  );
  const resolved = resolveRecipe({ target, ...wishes, overrides: checkOverrides(override) });
  refuseExpressions(resolved.target.overrides);
  resolved.notes.forEach(onNote);
  return resolved;
}

/**
 * Names that a client asks for may have `*` in them and no more: a regular expression can be written so that it never
 * ends, and nothing stops it.
 */
function refuseExpressions(overrides: ResolvedRecipe["target"]["overrides"] = []): void {
  const patterns = overrides.flatMap(({ match }) => Object.values(match).flat());
  const found = patterns.find((pattern) => isExpression(pattern));
  if (found === undefined) return;
  throw new Problem(
    "usage",
    `While reading the options: wanted overrides that match names with *, found the regular expression ${
      JSON.stringify(found.slice(0, 80))
    }. Over HTTP there are none: write the names, or * for what they don't share.`,
  );
}

/**
 * The preprocessing that a request wants.
 *
 * @param implied What the model's input says where nothing else does.
 *
 * @throws {Problem} `usage`, and {PlimsollError} kind `input`.
 */
export function preprocessingOf(
  options: Options,
  implied: Partial<Preprocessing> = {},
): Preprocessing {
  const { resize, crop } = options;
  const sizes = {
    resize: resize === undefined ? undefined : parseResize(resize),
    crop: crop === undefined ? undefined : parseCrop(crop),
  };
  const base = basePreprocessing(options.preprocess, implied);
  return overridePreprocessing(base, { ...options, ...sizes }, "the options");
}

function basePreprocessing(
  wanted: Options["preprocess"],
  implied: Partial<Preprocessing>,
): Preprocessing {
  if (wanted === undefined) return parsePreprocessing(implied, "the options");
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
