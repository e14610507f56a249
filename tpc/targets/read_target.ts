/**
 * TPC files: presets by name, files of a user, older versions, one that extends another, platforms of Sony's MCT.
 *
 * @module
 */
import type * as z from "zod";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { importMctTarget, isMctTarget, type MctImport } from "./import_mct.ts";
import { parseExpression } from "./expression.ts";
import { migrateTarget } from "./migrate_target.ts";
import { extensionSchema, type Override, type Target, targetSchema } from "./target.ts";
import defaultTarget from "./default.json" with { type: "json" };
import imx500 from "./imx500.json" with { type: "json" };
import onnxruntime from "./onnxruntime.json" with { type: "json" };
import onnxruntimeReduced from "./onnxruntime-reduced.json" with { type: "json" };
import onnxruntimeWeb from "./onnxruntime-web.json" with { type: "json" };
import qnnpack from "./qnnpack.json" with { type: "json" };
import tflite from "./tflite.json" with { type: "json" };

/** Targets that come with Plimsoll, by name. */
const PRESETS: Readonly<Record<string, unknown>> = {
  default: defaultTarget,
  imx500,
  onnxruntime,
  "onnxruntime-reduced": onnxruntimeReduced,
  "onnxruntime-web": onnxruntimeWeb,
  tflite,
  qnnpack,
};

/** Names of the targets that come with Plimsoll. */
export const TARGET_NAMES: readonly string[] = Object.keys(PRESETS);

/** A target of {@linkcode TARGET_NAMES} by its name, or undefined. */
export function presetTarget(name: string): Target | undefined {
  return Object.hasOwn(PRESETS, name) ? parseTarget(PRESETS[name], name) : undefined;
}

/**
 * Checks a parsed TPC file, lifts it to the present version and completes it by the target that it extends.
 *
 * @param name How messages call the file.
 * @throws {PlimsollError} kind `target`; the message names each offending path and what may stand there.
 *
 * @example Two differences from a preset
 * ```ts
 * import { parseTarget } from "./read_target.ts";
 * import assert from "node:assert/strict";
 *
 * const target = parseTarget({
 *   schemaVersion: 2,
 *   name: "mine",
 *   extends: "onnxruntime",
 *   activation: { error: "kl" },
 *   overrides: [{ match: { node: "*head*" }, quantize: false }],
 * }, "mine.json");
 * assert.equal(target.activation.error, "kl");
 * assert.equal(target.activation.constraint, "uniform");
 * ```
 */
export function parseTarget(value: unknown, name: string): Target {
  return readTarget(value, name).target;
}

/** As {@linkcode parseTarget}, with notes on what a platform of MCT says and a target can't. */
export function readTarget(value: unknown, name: string): MctImport {
  if (!isMctTarget(value)) return { target: complete(value, name, []), notes: [] };
  const { target, notes } = importMctTarget(value, name);
  return { target: complete(target, name, []), notes };
}

function complete(value: unknown, name: string, via: readonly string[]): Target {
  const migrated = migrateTarget(value, name);
  const isExtension = typeof migrated === "object" && migrated !== null && "extends" in migrated;
  // The members of the union are checked one by one: their messages are better than the union's.
  if (!isExtension) return checkReferences(check(targetSchema, migrated, name), name);
  const { extends: base, without = [], ...own } = check(extensionSchema, migrated, name);
  if (!Object.hasOwn(PRESETS, base) || via.includes(base)) {
    throw fault(name, `extends: ${JSON.stringify(base)} is none of ${TARGET_NAMES.join(", ")}`);
  }
  const from = complete(PRESETS[base], base, [...via, base]);
  const named = [
    ...from.operatorSets,
    ...from.fusing,
    ...from.composites ?? [],
    ...from.keepFloat ?? [],
  ];
  const unknown = without.filter((entry) => named.every(({ name }) => name !== entry));
  if (unknown.length > 0) {
    throw fault(name, `without: target ${base} has no ${unknown.map((x) => `"${x}"`).join(", ")}`);
  }
  // What comes first counts, so own sets stand before those of the base.
  const merge = <T extends { name: string }>(first: readonly T[] = [], then: readonly T[] = []) => [
    ...first,
    ...then.filter((entry) =>
      !without.includes(entry.name) && first.every(({ name }) => name !== entry.name)
    ),
  ];
  const merged = {
    ...from,
    ...own,
    activation: { ...from.activation, ...own.activation },
    weight: { ...from.weight, ...own.weight },
    storage: { ...from.storage, ...own.storage },
    ...(own.layers === undefined ? {} : { layers: { ...from.layers, ...own.layers } }),
    operatorSets: merge(own.operatorSets, from.operatorSets),
    keepFloat: merge(own.keepFloat, from.keepFloat),
    settings: merge(own.settings, from.settings),
    composites: merge(own.composites, from.composites),
    fusing: merge(own.fusing, from.fusing),
    overrides: [...from.overrides ?? [], ...own.overrides ?? []],
  };
  return checkReferences(check(targetSchema, merged, name), name);
}

function check<T>(schema: z.ZodType<T>, value: unknown, name: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) =>
    `${path.length === 0 ? "the top level" : path.join(".")}: ${message}`
  );
  throw fault(name, faults.join("; "));
}

/** What a schema can't say: names that must be unique, values that must agree. */
function checkReferences(target: Target, name: string): Target {
  const { operatorSets, fusing, keepFloat = [], settings = [], activation, weight, allowed } =
    target;
  for (const [key, list] of Object.entries({ operatorSets, fusing, keepFloat, settings })) {
    const names = list.map((entry) => entry.name);
    const twice = names.find((entry, i) => names.indexOf(entry) !== i);
    if (twice !== undefined) throw fault(name, `${key}: two are called ${JSON.stringify(twice)}`);
  }
  checkAllowed({ allowed, name }, "activation", activation, name);
  checkAllowed({ allowed, name }, "weight", weight, name);
  for (const setting of settings) {
    checkAllowed({ allowed, name }, "activation", setting.activation, `setting ${setting.name}`);
  }
  for (const form of target.composites?.flatMap(({ forms }) => forms) ?? []) {
    try {
      parseExpression(form);
    } catch (error) {
      throw fault(name, `composites: ${(error as Error).message}`);
    }
  }
  return addOverrides({ ...target, overrides: [] }, target.overrides ?? []);
}

/**
 * Checks a setting against what the target allows.
 *
 * @param where How the message calls the place of the setting.
 * @throws {PlimsollError} kind `target`, naming the value and what is allowed.
 */
export function checkAllowed(
  { allowed, name }: Pick<Target, "allowed" | "name">,
  kind: "activation" | "weight",
  setting: Readonly<Record<string, unknown>>,
  where: string,
): void {
  for (const [key, values] of Object.entries(allowed?.[kind] ?? {})) {
    const value = setting[key];
    if (value === undefined || values.some((entry) => entry === value)) continue;
    throw new PlimsollError("target", {
      action: `applying ${where} to target ${name}`,
      wanted: `${kind}.${key} to be one of ${values.join(", ")}`,
      found: String(value),
      remedy: "Choose an allowed value, or extend the target in a file of your own",
    });
  }
}

/**
 * Adds overrides behind those that a target has.
 *
 * @throws {PlimsollError} kind `target`, naming what is wrong or what the target doesn't allow.
 */
export function addOverrides(target: Target, overrides: readonly unknown[]): Target {
  if (overrides.length === 0) return target;
  const checked = checkOverrides(overrides);
  for (const { activation = {}, weight = {}, match } of checked) {
    const where = `the override for ${JSON.stringify(match)}`;
    checkAllowed(target, "activation", activation, where);
    checkAllowed(target, "weight", weight, where);
  }
  return { ...target, overrides: [...target.overrides ?? [], ...checked] };
}

/** Checks parsed overrides. */
export function checkOverrides(overrides: readonly unknown[]): Override[] {
  return check(targetSchema.shape.overrides.unwrap(), overrides, option("override"));
}

function fault(name: string, found: string): PlimsollError {
  return new PlimsollError("target", {
    action: `reading target ${JSON.stringify(name)}`,
    wanted: "target platform capabilities as in tpc/schema/target.v2.schema.json",
    found,
    remedy: "Correct the file; tpc/targets/ has examples and docs/targets.md explains each field",
  });
}
