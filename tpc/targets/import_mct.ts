/**
 * Import of target platform capabilities of Sony's MCT, schema versions 1 and 2.
 *
 * @module
 */
import { canonicalJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { allowedValues } from "./mct/allowed.ts";
import { importSets } from "./mct/import_sets.ts";
import { importFusing } from "./mct/import_fusing.ts";
import { ImportNotes } from "./mct/notes.ts";
import { isKernelSet, MCT_OPERATOR_SETS } from "./mct/operator_sets.ts";
import { MCT_SCHEMAS, type MctConfig, type MctOptions, type MctPlatform } from "./mct/schema.ts";
import {
  activationOf,
  type Base,
  fitsActivation,
  fixedGridOf,
  kernelOf,
  weightOf,
} from "./mct/settings.ts";
import type { Target } from "./target.ts";

/** An imported platform. */
export interface MctImport {
  /** The platform as a target. */
  readonly target: Target;
  /** What the file says and the target can't: path = value: why. */
  readonly notes: readonly string[];
}

/** Whether a parsed JSON file is a platform of MCT, by its shape. */
export function isMctTarget(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "default_qco");
}

/**
 * Turns a platform of MCT, as its `model_dump_json` writes it, into a target.
 *
 * The base config of each operator set counts; others become allowed values. Errors are minimised as MCT does it by
 * default (mean square). Whatever the target can't say is in the notes.
 *
 * @param name How messages call the file; also the target's name where the platform has none.
 * @throws {PlimsollError} kind `target`, naming each unknown key or wrong value by its path.
 *
 * @example The smallest platform: everything 8 bits, thresholds powers of two
 * ```ts
 * import { importMctTarget } from "./import_mct.ts";
 * import assert from "node:assert/strict";
 *
 * const { target } = importMctTarget({
 *   SCHEMA_VERSION: 2,
 *   default_qco: {
 *     quantization_configurations: [{
 *       default_weight_attr_config: { enable_weights_quantization: true, weights_n_bits: 8 },
 *       attr_weights_configs_mapping: {},
 *       activation_quantization_method: 0,
 *       activation_n_bits: 8,
 *       supported_input_activation_n_bits: 8,
 *       enable_activation_quantization: true,
 *       quantization_preserving: false,
 *       signedness: 0,
 *     }],
 *   },
 * }, "mine.json");
 * assert.equal(target.activation.constraint, "pot");
 * assert.equal(target.weight.granularity, "tensor");
 * ```
 */
export function importMctTarget(value: unknown, name: string): MctImport {
  const platform = check(value, name);
  const notes = new ImportNotes();
  const sets = platform.operator_set ?? [];
  const byName = new Map(sets.map((set) => [set.name, set]));
  if (byName.size !== sets.length) throw fault(name, "operator_set: two sets have one name");
  const fallback = baseOf(platform.default_qco, "default_qco", name);
  const configs = new Map(sets.map((set) => [
    set.name,
    set.qc_options && baseOf(set.qc_options, `operator_set.${set.name}.qc_options`, name),
  ]));
  const base = baseSettings(fallback, configs);
  notePlatform(platform, notes);
  const operatorSets = importSets({ sets, configs, fallback, base, notes });
  const fusing = importFusing(platform.fusing_patterns ?? [], byName, notes);
  const allowed = allowedValues(platform, fallback, configs, notes);
  const { tpc_minor_version: minor, tpc_patch_version: patch, tpc_platform_type: type } = platform;
  const version = [minor ?? "?", patch ?? "?"].join(".");
  const target: Target = {
    schemaVersion: 2,
    name: platform.name || name,
    description:
      `Imported from MCT's platform ${platform.name ?? "without a name"}, type ${
        type ?? "not given"
      }, ` +
      `version ${version}, schema version ${platform.SCHEMA_VERSION}`,
    activation: { ...base.activation, error: "mse" },
    weight: { ...base.weight, error: "mse", clip: false },
    storage: { activation: base.storage, weight: "int8", bias: "int32" },
    allowed,
    operatorSets,
    fusing,
  };
  return { target, notes: notes.list() };
}

function check(value: unknown, name: string): MctPlatform {
  const { SCHEMA_VERSION: version = 2 } = value as { SCHEMA_VERSION?: unknown };
  if (version !== 1 && version !== 2) {
    throw fault(name, `SCHEMA_VERSION: ${JSON.stringify(version)} is neither 1 nor 2`);
  }
  const result = MCT_SCHEMAS[version].safeParse({ SCHEMA_VERSION: version, ...value as object });
  if (result.success) return result.data;
  throw fault(
    name,
    result.error.issues.map(({ path, message }) =>
      `${path.length === 0 ? "the top level" : path.join(".")}: ${message}`
    ).join("; "),
  );
}

/** The config that counts where nothing is searched for: the base, or the only one. */
function baseOf(options: MctOptions, path: string, name: string): MctConfig {
  const { quantization_configurations: configs, base_config: base } = options;
  if (base === null && configs.length > 1) {
    throw fault(name, `${path}.base_config: missing, with ${configs.length} configurations`);
  }
  if (base !== null && configs.every((config) => canonicalJson(config) !== canonicalJson(base))) {
    throw fault(name, `${path}.base_config: is none of quantization_configurations`);
  }
  if (path === "default_qco" && configs.length !== 1) {
    throw fault(name, `${path}.quantization_configurations: ${configs.length} instead of 1`);
  }
  return base ?? configs[0];
}

/** What sets are relative to: the default config for activations, the first kernel for weights. */
function baseSettings(
  fallback: MctConfig,
  configs: ReadonlyMap<string, MctConfig | null>,
): Base {
  const activation = activationOf(fallback);
  const kernels = [...MCT_OPERATOR_SETS.keys()].filter(isKernelSet)
    .map((set) => kernelOf(configs.get(set) ?? fallback))
    .filter((kernel) => kernel.enable_weights_quantization);
  const weights = [...kernels, kernelOf(fallback)].map(weightOf);
  // MCT's zero points are codes of a type that it doesn't name: one below zero tells int8.
  const isSigned = [fallback, ...configs.values()].some((config) =>
    config !== null && (fixedGridOf(config)?.zeroPoint ?? 0) < 0
  );
  return {
    activation: fitsActivation(activation) ? activation : { ...activation, bits: 8 },
    weight: weights.find((weight) => weight !== undefined) ??
      { bits: 8, constraint: "symmetric", granularity: "channel" },
    storage: isSigned ? "int8" : "uint8",
  };
}

function notePlatform(platform: MctPlatform, notes: ImportNotes): void {
  if (platform.add_metadata) {
    notes.add("add_metadata", true, "the manifest says what was done; the model gets no metadata");
  }
  if (platform.is_simd_padding) {
    notes.add("is_simd_padding", true, "sizes of memory don't matter to thresholds");
  }
  if ("insert_preserving_quantizers" in platform && !platform.insert_preserving_quantizers) {
    notes.add(
      "insert_preserving_quantizers",
      false,
      "ONNX needs quantizers behind operators that preserve, too; on the same grid they change nothing",
    );
  }
}

function fault(name: string, found: string): PlimsollError {
  return new PlimsollError("target", {
    action: `importing MCT's platform ${JSON.stringify(name)}`,
    wanted: "JSON of its TargetPlatformCapabilities, schema version 1 or 2",
    found,
    remedy: "Export it again with MCT, or correct the file",
  });
}
