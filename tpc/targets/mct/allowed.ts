/**
 * From the candidates of MCT's operator sets to the values that a target allows.
 *
 * @module
 */
import { canonicalJson } from "../../../core/canonical_json.ts";
import type { Constraint } from "../../../core/types.ts";
import type { ImportNotes } from "./notes.ts";
import { isKernelSet } from "./operator_sets.ts";
import type { MctConfig, MctPlatform } from "./schema.ts";
import { activationOf, fitsActivation, kernelOf, weightOf } from "./settings.ts";

/** Allowed values as a target has them. */
export interface Allowed {
  activation?: AllowedLists;
  weight?: AllowedLists;
}

/** Lists of allowed values; absent where the platform says nothing. */
export interface AllowedLists {
  bits?: number[];
  constraint?: Constraint[];
}

/** Values that the platform allows in any set, and a note for each further config. */
export function allowedValues(
  { default_qco: fallbackOptions, operator_set: sets }: MctPlatform,
  fallback: MctConfig,
  configs: ReadonlyMap<string, MctConfig | null>,
  notes: ImportNotes,
): Allowed {
  const all = [
    { options: fallbackOptions, base: fallback, place: undefined, isKernel: false },
    ...(sets ?? []).map(({ name, qc_options: options }) => ({
      options,
      base: configs.get(name) ?? fallback,
      place: name,
      isKernel: isKernelSet(name),
    })),
  ];
  const activation = { bits: new Set<number>(), constraint: new Set<Constraint>() };
  const weight = { bits: new Set<number>(), constraint: new Set<Constraint>() };
  for (const { options, base, place, isKernel } of all) {
    for (const config of options?.quantization_configurations ?? []) {
      if (config.enable_activation_quantization && fitsActivation(activationOf(config))) {
        activation.bits.add(config.activation_n_bits);
        activation.constraint.add(activationOf(config).constraint);
      }
      const kernel = kernelOf(config);
      const own = isKernel && kernel.enable_weights_quantization ? weightOf(kernel) : undefined;
      if (own !== undefined) {
        weight.bits.add(own.bits);
        weight.constraint.add(own.constraint);
      }
      if (canonicalJson(config) === canonicalJson(base)) continue;
      notes.add(
        "operator_set[*].qc_options.quantization_configurations",
        leafDifferences(config, base),
        "not chosen by itself; its bits and constraints are among the allowed ones, for all sets alike",
        place === undefined ? {} : { place },
      );
    }
  }
  const lists = ({ bits, constraint }: typeof activation) => ({
    ...(bits.size > 0 ? { bits: [...bits].sort((a, b) => a - b) } : {}),
    ...(constraint.size > 0 ? { constraint: [...constraint] } : {}),
  });
  const [activations, weights] = [lists(activation), lists(weight)];
  return {
    ...(Object.keys(activations).length > 0 ? { activation: activations } : {}),
    ...(Object.keys(weights).length > 0 ? { weight: weights } : {}),
  };
}

/** Leaves of a JSON value that differ from those of another one, by their path. */
function leafDifferences(value: unknown, base: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return canonicalJson(value) === canonicalJson(base ?? null) ? {} : { "": value };
  }
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, own]) =>
      Object.entries(leafDifferences(own, (base as Record<string, unknown> | null)?.[key])).map((
        [path, leaf],
      ) => [path === "" ? key : `${key}.${path}`, leaf])
    ),
  );
}
