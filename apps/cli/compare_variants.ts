/**
 * From the lists of `compare` to variants with their targets.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import {
  LISTED,
  type SettingLists,
  type SettingVariant,
  variantsOf,
} from "../../pipeline/compare/variants.ts";
import type { Host } from "../../core/host.ts";
import type { Variant } from "../../pipeline/quantize/quantize_variants.ts";
import { loadTarget } from "./inputs.ts";
import type { TargetOptions } from "./options.ts";

/** Options of a target, those of {@linkcode SettingLists} as lists. */
export type VariantOptions = Omit<TargetOptions, keyof SettingLists> & SettingLists;

/** A variant to make, and the options that it comes from. */
export type PlannedVariant = SettingVariant & Variant;

/** A combination that its target doesn't allow. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}

/**
 * Targets of all variants. Combinations that a target doesn't allow are left out, unless none remains.
 *
 * @throws {PlimsollError} kinds `usage`, `input` and `target`.
 */
export async function loadVariants(host: Host, options: VariantOptions) {
  const variants: PlannedVariant[] = [];
  const leftOut: LeftOut[] = [];
  // Each target alone first: what is wrong with it is no matter of combinations, and its notes are printed once.
  for (const target of new Set(options.target)) await loadTarget(host, { target });
  const quiet = { ...host, printError: () => {} };
  let refusal: unknown;
  for (const variant of variantsOf(options)) {
    try {
      const target = await loadTarget(quiet, { ...options, ...unset(LISTED), ...variant.settings });
      const { weightRounding } = variant.settings;
      variants.push({ ...variant, target, ...(weightRounding && { weightRounding }) });
    } catch (error) {
      if (!(error instanceof PlimsollError && error.kind === "target")) throw error;
      refusal ??= error;
      leftOut.push({ name: variant.name, reason: error.message });
    }
  }
  if (variants.length === 0) throw refusal;
  return { variants, leftOut };
}

/** Settings that are absent, so that no list is taken for a value. */
function unset<Key extends string>(keys: readonly Key[]): { [K in Key]: undefined } {
  return Object.fromEntries(keys.map((key) => [key, undefined])) as { [K in Key]: undefined };
}
