/**
 * From the lists of `compare` to recipes.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import {
  folderOf,
  LISTED,
  type SettingLists,
  type Settings,
  type SettingVariant,
  variantsOf,
} from "../../pipeline/compare/variants.ts";
import type { Host } from "../../core/host.ts";
import type { NamedRecipe, Quantization } from "../../pipeline/quantize/quantize.ts";
import { loadRecipe } from "./inputs.ts";
import type { TargetOptions } from "./options.ts";

/** Options of a recipe, those of {@linkcode SettingLists} as lists. */
export type VariantOptions = Omit<TargetOptions, keyof SettingLists> & SettingLists;

/** A variant to make, and the options that it comes from. */
export interface PlannedVariant extends SettingVariant {
  readonly recipe: NamedRecipe;
}

/** A combination that its target doesn't allow. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}

/**
 * Recipes of all variants. Combinations that a target doesn't allow, and wishes that contradict each other, are left
 * out, unless none remains.
 *
 * @throws {PlimsollError} kinds `usage`, `input` and `target`.
 */
export async function loadVariants(host: Host, options: VariantOptions) {
  const variants: PlannedVariant[] = [];
  const leftOut: LeftOut[] = [];
  // Each target alone first: what is wrong with it is no matter of combinations, and its notes are printed once.
  const { recipe } = options;
  for (const target of new Set(options.target ?? [undefined])) {
    await loadRecipe(host, { target, recipe });
  }
  const quiet = { ...host, printError: () => {} };
  let refusal: unknown;
  for (const variant of variantsOf(options)) {
    const { name, settings } = variant;
    // A recipe's target stands where no list of targets is given.
    const target = options.target === undefined && recipe !== undefined
      ? undefined
      : settings.target;
    try {
      const loaded = await loadRecipe(quiet, { ...options, ...unset(LISTED), ...settings, target });
      variants.push({ ...variant, recipe: { ...loaded.recipe, name } });
    } catch (error) {
      if (!(error instanceof PlimsollError) || !["target", "usage"].includes(error.kind)) {
        throw error;
      }
      refusal ??= error;
      leftOut.push({ name, reason: error.message });
    }
  }
  if (variants.length === 0) throw refusal;
  return { variants, leftOut };
}

/**
 * The one recipe that a front is drawn of.
 *
 * @throws {PlimsollError} kinds `usage`, for lists of several values, `input` and `target`.
 */
export async function loadFrontRecipe(
  host: Host,
  options: VariantOptions,
): Promise<{ recipe: NamedRecipe; settings: Partial<Settings> }> {
  const lists = LISTED.flatMap((key) => {
    const values = options[key];
    return values === undefined ? [] : [[key, [...new Set<unknown>(values)]] as const];
  });
  const several = lists.find(([, values]) => values.length > 1);
  if (several !== undefined) {
    throw new PlimsollError("usage", {
      action: "reading the options",
      wanted: `one value for each option with ${option("plan")}`,
      found: option(several[0], several[1].join(",")),
      remedy: `Give one, or leave ${option("plan")} out`,
    });
  }
  const settings = Object.fromEntries(lists.map(([key, [value]]) => [key, value]));
  const { recipe } = await loadRecipe(host, { ...options, ...unset(LISTED), ...settings });
  return { recipe: { ...recipe, name: "the front" }, settings };
}

/** The points of a front as variants. */
export function variantsOfFront(
  results: readonly Quantization[],
  settings: Partial<Settings>,
): PlannedVariant[] {
  return results.map(({ name, recipe, target }) => ({
    name,
    folder: folderOf(name),
    settings: { target: target.name, ...settings },
    recipe: { ...recipe, name },
  }));
}

/** Settings that are absent, so that no list is taken for a value. */
function unset<Key extends string>(keys: readonly Key[]): { [K in Key]: undefined } {
  return Object.fromEntries(keys.map((key) => [key, undefined])) as { [K in Key]: undefined };
}
