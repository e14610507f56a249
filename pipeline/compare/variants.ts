/**
 * The variants of a comparison: the product of lists of settings, each with a name made of what differs.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { MethodChoice } from "../../core/types.ts";
import { WISH_ENTRIES, type Wishes } from "../../tpc/recipe/wishes.ts";

/** What one variant asks for; what is absent is the target's. */
export interface Settings extends Wishes {
  /** Name of a preset, or a file. */
  readonly target: string;
}

/** Values to try for each setting. */
export type SettingLists = {
  readonly [Key in keyof Settings]: readonly NonNullable<Settings[Key]>[];
};

/** One combination. */
export interface SettingVariant {
  /** What differs from the others: `kl 4-bit`. */
  readonly name: string;
  /** Name of its folder: the name, fit for file systems. */
  readonly folder: string;
  readonly settings: Settings;
}

/** Most variants of one comparison. */
export const MAX_VARIANTS = 64;

/** What is compared when nothing is said to differ: MCT's tutorial. */
const DEFAULT_ERRORS: readonly MethodChoice[] = ["mse", "noclipping"];

/** Settings in the order of the words of a name, and what each value is called there. */
const AXES = [
  {
    key: "target",
    word: (value: unknown) => String(value).replace(/^.*[/\\]/, "").replace(/\.json$/, ""),
  },
  ...WISH_ENTRIES.filter(([key]) => key !== "requantize").map(([key, { word }]) => ({ key, word })),
] as const satisfies readonly { key: keyof Settings; word: (value: unknown) => string }[];
/** Settings that lists can be given for, in the order of the words of a name. */
export const LISTED: readonly (keyof Settings)[] = AXES.map(({ key }) => key);

/**
 * All combinations, in the order of the lists, the last setting changing fastest.
 *
 * @throws {PlimsollError} kind `usage` for more than {@linkcode MAX_VARIANTS}.
 *
 * @example
 * ```ts
 * import { variantsOf } from "./variants.ts";
 * import assert from "node:assert/strict";
 *
 * const variants = variantsOf({ target: ["default"], error: ["mse", "kl"], bits: [8, 4] });
 * assert.deepEqual(variants.map(({ name }) => name), ["mse 8-bit", "mse 4-bit", "kl 8-bit", "kl 4-bit"]);
 * ```
 */
export function variantsOf(given: SettingLists): SettingVariant[] {
  const isAlone = LISTED.every((key) => (given[key]?.length ?? 1) === 1);
  const lists: SettingLists = isAlone && given.error === undefined
    ? { ...given, error: DEFAULT_ERRORS }
    : given;
  const axes = LISTED.filter((key) => lists[key] !== undefined).map((key) => ({
    key,
    values: [...new Set<unknown>(lists[key])],
  }));
  const count = axes.reduce((product, { values }) => product * values.length, 1);
  if (count > MAX_VARIANTS) {
    throw new PlimsollError("usage", {
      action: "reading the options",
      wanted: `at most ${MAX_VARIANTS} variants`,
      found: `${
        axes.map(({ values }) => values.length).filter((n) => n > 1).join(" × ")
      } = ${count}`,
      remedy: "Compare fewer values at a time",
    });
  }
  let all: Settings[] = [{ target: "default" }];
  for (const { key, values } of axes) {
    all = all.flatMap((settings) => values.map((value) => ({ ...settings, [key]: value })));
  }
  const differing = axes.filter(({ values }) => values.length > 1).map(({ key }) => key);
  const names = distinct(all.map((settings) => nameOf(settings, differing)), (n) => ` (${n})`);
  const folders = distinct(names.map(folderOf), (n) => `-${n}`);
  return all.map((settings, i) => ({ name: names[i], folder: folders[i], settings }));
}

/** The words of what differs; of a variant alone, its method or target. */
function nameOf(settings: Settings, differing: readonly (keyof Settings)[]): string {
  const keys = differing.length > 0
    ? differing
    : [settings.error === undefined ? "target" as const : "error" as const];
  return AXES.filter(({ key }) => keys.includes(key)).map(({ key, word }) => word(settings[key]))
    .join(" ");
}

/** A name without what file systems give a meaning. */
export function folderOf(name: string): string {
  return name.replace(/[^\p{L}\p{N}.]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "") || "variant";
}

/** Numbers all but the first of equal names; file systems may not tell a from A. */
function distinct(names: readonly string[], numbered: (n: number) => string): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const n = (seen.get(name.toLowerCase()) ?? 0) + 1;
    seen.set(name.toLowerCase(), n);
    return n === 1 ? name : name + numbered(n);
  });
}
