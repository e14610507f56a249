/**
 * Import of target platform capabilities of Sony's MCT, schema versions 1 and 2.
 *
 * @module
 */
import { canonicalJson } from "./core/canonical_json.ts";
import { PlimsollError } from "./core/errors.ts";
import type { Constraint } from "./core/types.ts";
import { importFusing } from "./mct/fusing.ts";
import { ImportNotes } from "./mct/notes.ts";
import {
  INDEX_OPERATORS,
  KERNEL_OPERATORS,
  MCT_OPERATOR_SETS,
  OTHER_OPERATORS,
} from "./mct/operator_sets.ts";
import {
  MCT_SCHEMAS,
  type MctConfig,
  type MctOperatorSet,
  type MctOptions,
  type MctPlatform,
} from "./mct/schema.ts";
import {
  activationOf,
  type Base,
  describeConfig,
  fitsActivation,
  fixedGridOf,
  kernelOf,
  type Location,
  noteConfig,
  type Settings,
  settingsFor,
  weightOf,
} from "./mct/settings.ts";
import type { OperatorSet, Target } from "./target.ts";

/** An imported platform. */
export interface MctImport {
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

function isKernelSet(name: string): boolean {
  const operators = MCT_OPERATOR_SETS.get(name)?.operators ?? [];
  return operators.some((op) => KERNEL_OPERATORS.has(op));
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

interface SetsInput {
  readonly sets: readonly MctOperatorSet[];
  readonly configs: ReadonlyMap<string, MctConfig | null>;
  readonly fallback: MctConfig;
  readonly base: Base;
  readonly notes: ImportNotes;
}

/** One ONNX operator with the config that holds for it. */
interface Claim {
  readonly op: string;
  readonly config: MctConfig;
  /** Name of the MCT set; undefined for the default. */
  readonly set?: string;
  readonly where?: OperatorSet["where"];
}

const DEFAULT: Location = { path: "default_qco.base_config", place: "" };
const locate = (place: string): Location => ({
  path: "operator_set[*].qc_options.base_config",
  place,
});

function importSets(input: SetsInput): OperatorSet[] {
  const { configs, fallback, base, notes } = input;
  noteConfig(fallback, DEFAULT, notes);
  for (const [set, config] of configs) {
    if (config !== null) noteConfig(config, locate(set), notes);
  }
  const groups = new Map<string, { sets: string[]; operators: string[]; settings: Settings }>();
  for (const { op, config, set, where } of claimsOf(input)) {
    const location = set === undefined ? DEFAULT : locate(set);
    const settings = { ...settingsFor(op, config, base, location, notes), ...(where && { where }) };
    // Kernels stand apart, for the reader.
    const key = canonicalJson([settings, KERNEL_OPERATORS.has(op)]);
    const group = groups.get(key) ?? { sets: [], operators: [], settings };
    groups.set(key, group);
    const label = set ?? "default_qco";
    if (!group.sets.includes(label)) group.sets.push(label);
    if (!group.operators.includes(op)) group.operators.push(op);
  }
  const names = new Set<string>();
  // A restricted set must stand before the one that holds the rest.
  return [...groups.values()].toSorted((a, b) =>
    Number("where" in b.settings) - Number("where" in a.settings)
  ).map(({ sets, operators, settings }) => {
    const name = sets.join(", ") + (settings.output?.fixedRange ? ", known range" : "");
    let unique = name;
    for (let number = 2; names.has(unique); number++) unique = `${name} (${number})`;
    names.add(unique);
    return { name: unique, operators, ...settings };
  });
}

/** Which config holds for which operator. */
function claimsOf({ sets, configs, fallback, notes }: SetsInput): Claim[] {
  const claims = new Map<string, Claim>();
  const depthwise: Claim[] = [];
  for (const [set, meaning] of MCT_OPERATOR_SETS) {
    const config = configs.get(set);
    if (config === undefined || config === null) continue;
    if ("reason" in meaning) {
      notes.add("operator_set[*]", describeConfig(config), meaning.reason, { place: set });
    }
    for (const op of meaning.operators) {
      const first = claims.get(op);
      const isSame = first !== undefined && canonicalJson(first.config) === canonicalJson(config);
      if (set === "DepthwiseConv2D" && !isSame) {
        claims.set(op, { op, config: fallback, ...first, where: { group: [1] } });
        depthwise.push({ op, config, set });
        notes.add(`operator_set[*]`, op, "holds for all convolutions with groups", {
          place: set,
        });
      } else if (first === undefined) claims.set(op, { op, config, set });
      else if (!isSame) {
        notes.add(
          "operator_set[*].qc_options",
          describeConfig(config),
          `${op} is the ONNX operator of ${first.set}, too, whose settings count`,
          { place: set },
        );
      }
    }
  }
  if (configs.get("Conv") && !configs.has("DepthwiseConv2D")) {
    notes.add("operator_set", "no DepthwiseConv2D", "ONNX has one operator: it is treated as Conv");
  }
  for (const { name } of sets) {
    if (MCT_OPERATOR_SETS.has(name)) continue;
    const config = configs.get(name) ?? fallback;
    // A set of the user's own: taken when it is named like the operator.
    if (OTHER_OPERATORS.includes(name)) claims.set(name, { op: name, config, set: name });
    else {
      notes.add(
        "operator_set[*]",
        describeConfig(config),
        "is no set of MCT's own: name its ONNX operators in a target that you make of this one",
        { place: name },
      );
    }
  }
  const all = [...MCT_OPERATOR_SETS.values()].flatMap(({ operators }) => [...operators]);
  for (const op of [...all, ...OTHER_OPERATORS]) {
    if (claims.has(op) || INDEX_OPERATORS.has(op)) continue;
    claims.set(op, { op, config: fallback });
  }
  return [...claims.values(), ...depthwise];
}

/** Values that the platform allows in any set, and a note for each further config. */
function allowedValues(
  { default_qco: fallbackOptions, operator_set: sets }: MctPlatform,
  fallback: MctConfig,
  configs: ReadonlyMap<string, MctConfig | null>,
  notes: ImportNotes,
): Target["allowed"] {
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

function fault(name: string, found: string): PlimsollError {
  return new PlimsollError("target", {
    action: `importing MCT's platform ${JSON.stringify(name)}`,
    wanted: "JSON of its TargetPlatformCapabilities, schema version 1 or 2",
    found,
    remedy: "Export it again with MCT, or correct the file",
  });
}
