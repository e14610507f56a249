/**
 * A recipe: what a user wishes of a quantization, as data. Target, settings over it, overrides and preprocessing; no
 * path, no time and no machine, so that the same recipe, model and samples give the same bytes anywhere.
 *
 * @module
 */
import * as z from "zod";
import { PlimsollError } from "../../core/errors.ts";
import { firstFaults } from "../../core/first_faults.ts";
import { option, wordOptions } from "../../core/option_words.ts";
import {
  addOverrides,
  checkAllowed,
  presetTarget,
  readTarget,
  TARGET_NAMES,
} from "../targets/read_target.ts";
import { type Target, targetSchema } from "../targets/target.ts";
import { preprocessingSchema } from "./preprocessing.ts";
import { wishText } from "./wish.ts";
import { furtherPasses, WISH_ENTRIES, WISHES, type Wishes, type WishKey } from "./wishes.ts";

/** Whether a value of JSON holds no number that reading has made infinite, as 1e999: it could not be written again. */
function hasFiniteNumbers(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value !== "object" || value === null ||
    Object.values(value).every(hasFiniteNumbers);
}

/** Schema of a recipe, version 1. `schema/recipe.v1.schema.json` is made from it. */
export const recipeSchema = z.strictObject({
  schemaVersion: z.literal(1).optional().describe("Version of this format"),
  target: z.union([
    z.string(),
    z.record(z.string(), z.unknown()).refine(
      hasFiniteNumbers,
      "a number is larger than any float64",
    ),
  ]).optional().describe(
    "Name of a target, or what a target file holds; default when absent",
  ),
  ...Object.fromEntries(WISH_ENTRIES.map(([key, { schema, text, otherwise }]) => [
    key,
    schema.optional().describe(wordOptions(`${text}; when absent: ${otherwise}`)),
  ])) as { [Key in keyof Wishes]: z.ZodOptional<z.ZodType<Wishes[Key]>> },
  overrides: targetSchema.shape.overrides.describe(
    "Settings for tensors, nodes and operators by name or pattern",
  ),
  preprocessing: preprocessingSchema.optional().describe("How images become the model's input"),
}).describe("Recipe of Plimsoll: what a user wishes of a quantization");

/** What a user wishes. All of it may be absent: then it is what the target says, and the target is `default`. */
export type Recipe =
  & Wishes
  & Readonly<{
    schemaVersion?: 1;
    /** Name of a target, or what a target file holds. */
    target?: string | Target | Readonly<Record<string, unknown>>;
    /** Settings for tensors, nodes and operators by name or pattern, behind those of the target. */
    overrides?: Target["overrides"];
    /** How images become the model's input; for whoever opens the samples. */
    preprocessing?: z.infer<typeof preprocessingSchema>;
  }>;

/** A recipe whose target has been read and whose wishes have been applied to it. */
export interface ResolvedRecipe {
  /** The recipe, with the whole target in it. */
  readonly recipe: Recipe;
  /** The target with the wishes in place of its own settings: what placement and search go by. */
  readonly target: Target;
  /** What an imported platform says and a target can't. */
  readonly notes: readonly string[];
}

/**
 * Checks a parsed recipe file, or the recipe that a manifest carries.
 *
 * @param name How messages call it.
 * @throws {PlimsollError} kind `usage`, naming the first offending keys.
 *
 * @example
 * ```ts
 * import { parseRecipe } from "./recipe.ts";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(parseRecipe({ target: "onnxruntime", bits: 7 }, "r.json"), { target: "onnxruntime", bits: 7 });
 * assert.throws(() => parseRecipe({ bit: 7 }, "r.json"), /bit/);
 * ```
 */
export function parseRecipe(value: unknown, name: string): Recipe {
  const result = recipeSchema.safeParse(value);
  if (result.success) return result.data as Recipe;
  throw new PlimsollError("usage", {
    action: `reading recipe ${JSON.stringify(name)}`,
    wanted: "a recipe as in tpc/schema/recipe.v1.schema.json",
    found: firstFaults(result.error),
    remedy: "Correct it; a manifest that `quantize` wrote is a recipe, too",
  });
}

/**
 * Reads the target of a recipe and applies its wishes.
 *
 * @throws {PlimsollError} kind `target` when the target doesn't allow one of them, kind `usage` when it is unknown or
 * two wishes contradict each other.
 *
 * @example Fewer bits than the preset
 * ```ts
 * import { resolveRecipe } from "./recipe.ts";
 * import assert from "node:assert/strict";
 *
 * const { target } = resolveRecipe({ target: "onnxruntime", bits: 6 });
 * assert.equal(target.activation.bits, 6);
 * assert.throws(() => resolveRecipe({ autoRuns: 5 }), /autoBy/);
 * ```
 */
export function resolveRecipe(recipe: Recipe): ResolvedRecipe {
  parseRecipe(recipe, "of this call");
  const { target: wanted = "default", overrides = [], ...wishes } = recipe;
  const { target: base, notes } = readWanted(wanted);
  const target = addOverrides(applyWishes(base, recipe), overrides);
  checkContradictions(recipe, target);
  // An empty list is no wish: hosts differ in whether they give one.
  const own = overrides.length === 0 ? wishes : { ...wishes, overrides };
  return { recipe: { ...own, schemaVersion: 1, target: base }, target, notes };
}

function readWanted(wanted: NonNullable<Recipe["target"]>) {
  if (typeof wanted !== "string") return readTarget(wanted, nameOf(wanted));
  const preset = presetTarget(wanted);
  if (preset !== undefined) return { target: preset, notes: [] };
  throw new PlimsollError("usage", {
    action: "reading the target",
    wanted: `a name (${TARGET_NAMES.join(", ")}) or a file`,
    found: JSON.stringify(wanted),
    remedy: "Correct the name or the path",
  });
}

/** What messages call a target that has no file. */
function nameOf(target: object): string {
  return "name" in target && typeof target.name === "string" ? target.name : option("target");
}

/**
 * A target with wishes in place of its own settings.
 *
 * @param source What messages call the place where the wishes come from.
 * @throws {PlimsollError} kind `target` when the target doesn't allow one of them.
 */
export function applyWishes(base: Target, wishes: Wishes, source = "the options"): Target {
  const placed = { activation: {}, weight: {}, rewrites: {}, layers: {} } as Record<string, object>;
  for (const [key, { place }] of WISH_ENTRIES) {
    if (place === undefined || wishes[key] === undefined) continue;
    const [part, setting] = place;
    placed[part] = { ...placed[part], [setting]: wishes[key] };
  }
  const { activation, rewrites, layers } = placed;
  const implied = impliedBy(wishes.weightOnly);
  const weight = { ...implied.weight, ...placed.weight };
  checkAllowed(base, "activation", activation as Record<string, unknown>, source);
  checkAllowed(base, "weight", placed.weight as Record<string, unknown>, source);
  return {
    ...base,
    activation: { ...base.activation, ...activation },
    weight: { ...base.weight, ...weight },
    storage: { ...base.storage, ...implied.storage },
    ...(Object.keys(layers).length === 0 ? {} : { layers: { ...base.layers, ...layers } }),
    ...(Object.keys(rewrites).length === 0 ? {} : { rewrites: { ...base.rewrites, ...rewrites } }),
    // What is wished holds for all tensors: settings and sets may not say otherwise.
    ...(base.settings && {
      settings: base.settings
        // What else a setting of more bits says is for those bits.
        .filter((setting) => setting.activation.bits === undefined || !("bits" in activation))
        .map((setting) => ({ ...setting, activation: without(setting.activation, activation) }))
        .filter(({ activation }) => Object.keys(activation).length > 0),
    }),
    operatorSets: base.operatorSets.map((set) => ({
      ...set,
      ...(set.output && { output: without(set.output, activation) }),
      ...(set.weight && { weight: without(set.weight, weight) }),
    })),
  };
}

/** Grids of weights that a wish for nothing but weights implies; kernels in float take any. */
function impliedBy(
  weightOnly: Wishes["weightOnly"],
): { readonly weight?: Partial<Target["weight"]>; readonly storage?: Partial<Target["storage"]> } {
  switch (weightOnly) {
    case "int4":
      return {
        weight: { bits: 4, granularity: "block", constraint: "uniform" },
        storage: { weight: "uint4" },
      };
    case "int8":
      return {
        weight: { bits: 8, granularity: "channel", constraint: "symmetric" },
        storage: { weight: "int8" },
      };
    default:
      return {};
  }
}

function without<T extends object>(values: T, keys: object): T {
  const rest = Object.entries(values).filter(([key]) => !(key in keys));
  return Object.fromEntries(rest) as T;
}

/** Whether held-out samples are wanted: where any tensor's method may be `auto`. */
export function holdsOut(target: Target): boolean {
  return [
    target.activation,
    ...target.operatorSets.map(({ output }) => output),
    ...(target.settings ?? []).map(({ activation }) => activation),
    ...(target.overrides ?? []).map(({ activation }) => activation),
  ].some((quantizer) => quantizer?.error === "auto");
}

/** Refuses wishes that contradict each other, or that nothing would come of. */
function checkContradictions(wishes: Wishes, target: Target): void {
  const fail = (wanted: string, found: string, remedy: string) =>
    new PlimsollError("usage", { action: "reading the options", wanted, found, remedy });
  const passes = furtherPasses(wishes);
  checkComputation(wishes, target, fail);
  if (passes.includes("exact") && passes.includes("output")) {
    throw fail(
      `${option("exact")} or ${option("autoBy", "output")}`,
      "both",
      "Leave one of the two out",
    );
  }
  if (wishes.autoRuns !== undefined && wishes.autoBy !== "output") {
    throw fail(
      `${option("autoBy", "output")} with ${option("autoRuns")}`,
      option("autoBy", wishes.autoBy ?? "error"),
      `Leave ${option("autoRuns")} out`,
    );
  }
  if (passes.includes("output") && !holdsOut(target)) {
    throw fail(
      `${option("error", "auto")} with ${option("autoBy", "output")}`,
      `${target.activation.error} for every tensor`,
      `Add ${option("error", "auto")}, or leave ${option("autoBy")} out`,
    );
  }
}

/** Refuses wishes for grids that a target which quantizes as the model runs, or nothing but weights, doesn't have. */
function checkComputation(
  wishes: Wishes,
  { layers = {}, weight }: Target,
  fail: (wanted: string, found: string, remedy: string) => PlimsollError,
): void {
  const { activations = "static", weightOnly } = layers;
  const wished = WISH_ENTRIES.filter(([key]) => wishes[key] !== undefined);
  const refuse = (how: string, reason: string, isInVain: (key: WishKey) => boolean) => {
    const found = wished.find(([key]) => isInVain(key));
    if (found === undefined) return;
    const [key] = found;
    const named = option(key, wishText(wishes[key]));
    throw fail(`wishes that ${how} can honour: ${reason}`, named, `Leave ${named} or ${how} out`);
  };
  const ofActivations = (key: WishKey) =>
    WISHES[key].group === "activations" && key !== "activation";
  if (weightOnly !== undefined) {
    refuse(
      option("weightOnly", weightOnly),
      "no activation is quantized",
      (key) => ofActivations(key) || key === "activation" && wishes[key] === "dynamic",
    );
    const fixed: readonly WishKey[] = ["weightBits", "weightGranularity"];
    refuse(
      option("weightOnly", weightOnly),
      weightOnly === "float16"
        ? "float16 has no grid to choose"
        : "it says bits and granularity itself",
      (key) =>
        fixed.includes(key) ||
        weightOnly === "float16" && WISHES[key].group === "weights" && key !== "weightOnly" ||
        weightOnly === "int8" && key === "weightBlock",
    );
  } else if (activations === "dynamic") {
    refuse(
      option("activation", "dynamic"),
      "grids of activations are found as the model runs, of 8 bits over the range of a tensor",
      ofActivations,
    );
    if (weight.granularity === "block") {
      throw fail(
        `steps by channel or tensor with ${option("activation", "dynamic")}`,
        option("weightGranularity", "block"),
        `Leave one of the two out; ${option("weightOnly", "int4")} has blocks`,
      );
    }
  }
}
