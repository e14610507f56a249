/**
 * From one `OpQuantizationConfig` of MCT to what an operator set of a target says.
 *
 * @module
 */
import { storageFor, STORED_CODES } from "../../../core/grid.ts";
import type {
  ActivationStorage,
  Constraint,
  Granularity,
  Signedness,
} from "../../../core/types.ts";
import { operatorNamed } from "../../../onnx/operators/operators.ts";
import type { ImportNotes } from "./notes.ts";
import { AVERAGING_OPERATORS, hasKernel, isIndex, keepsGrid } from "./operator_sets.ts";
import { MCT_METHODS, type MctAttribute, type MctConfig } from "./schema.ts";

/** What MCT says of activations. */
export interface ActivationSettings {
  readonly bits: number;
  readonly constraint: Constraint;
  readonly signed: Signedness;
}

/** What MCT says of weights. */
export interface WeightSettings {
  readonly bits: number;
  readonly constraint: Constraint;
  readonly granularity: Granularity;
}

/** What a target can say of an operator set. */
export interface Settings {
  readonly use: "quantized" | "preserving" | "float";
  readonly reason?: string;
  readonly output?: Partial<ActivationSettings> & {
    readonly fixedRange?: true;
    readonly fixedGrid?: { readonly scale: number; readonly zeroPoint: number };
  };
  readonly weight?: Partial<WeightSettings>;
  readonly inputs?: "same";
  readonly constants?: "quantized";
}

/** What the settings of a set are relative to. */
export interface Base {
  readonly activation: ActivationSettings;
  readonly weight: WeightSettings;
  readonly storage: ActivationStorage;
}

/** Where a config stands: `path` begins the paths of notes, `*` in it is the place. */
export interface Location {
  readonly path: string;
  readonly place: string;
}

const CONSTRAINTS: readonly Constraint[] = ["pot", "pot", "symmetric", "uniform", "symmetric"];
const SIGNED: readonly Signedness[] = ["auto", "yes", "no"];
const KERNEL = "kernel_attr";
const BIAS = "bias_attr";
const [LEAST_BITS, MOST_ACTIVATION_BITS, MOST_WEIGHT_BITS] = [2, 16, 8];

/**
 * Operators in MCT's `LAYER2MINMAX`: it takes the threshold from their range by definition without a search,
 * whatever the platform.
 */
const RANGED_OPERATORS: readonly string[] = ["Softmax", "Sigmoid", "HardSigmoid", "Tanh"];

/** What becomes of MCT's non-uniform quantizers. */
const NO_TABLES =
  "look-up tables can't be stored; a uniform grid with the same kind of threshold takes their place";

/** Activation settings of a config, honoured or not. */
export function activationOf(config: MctConfig): ActivationSettings {
  return {
    bits: config.activation_n_bits,
    constraint: CONSTRAINTS[config.activation_quantization_method],
    signed: SIGNED[config.signedness],
  };
}

/** Whether a target can have so many bits for activations. */
export function fitsActivation({ bits }: ActivationSettings): boolean {
  return bits >= LEAST_BITS && bits <= MOST_ACTIVATION_BITS;
}

/** How a config treats the weights of a kernel operator. */
export function kernelOf(config: MctConfig): MctAttribute {
  const { attr_weights_configs_mapping: attributes } = config;
  return Object.hasOwn(attributes, KERNEL) ? attributes[KERNEL] : config.default_weight_attr_config;
}

/** Weight settings of an attribute, or undefined when a target can't have so many bits. */
export function weightOf(attribute: MctAttribute): WeightSettings | undefined {
  const { weights_n_bits: bits, weights_quantization_method: method } = attribute;
  if (bits < LEAST_BITS || bits > MOST_WEIGHT_BITS) return undefined;
  const granularity = attribute.weights_per_channel_threshold ? "channel" : "tensor";
  return { bits, constraint: CONSTRAINTS[method], granularity };
}

/** Fixed scale and zero point of a config, when it has both. */
export function fixedGridOf({ fixed_scale: scale, fixed_zero_point: zeroPoint }: MctConfig) {
  return scale === null || zeroPoint === null ? undefined : { scale, zeroPoint };
}

/** Notes on a config that don't depend on the operator. */
export function noteConfig(config: MctConfig, { path, place }: Location, notes: ImportNotes): void {
  const note = (key: string, value: unknown, why: string) =>
    notes.add(`${path}.${key}`, value, why, { place });
  const isQuantized = config.enable_activation_quantization && !config.quantization_preserving;
  const { signed, bits } = activationOf(config);
  const method = MCT_METHODS[config.activation_quantization_method];
  if (!isQuantized) {
    note(
      "{activation_quantization_method, activation_n_bits, signedness}",
      `${method}, ${bits}, ${signed}`,
      "has no effect where no activation is quantized",
    );
  } else if (method.startsWith("LUT")) {
    note("activation_quantization_method", method, NO_TABLES);
  }
  note(
    "supported_input_activation_n_bits",
    config.supported_input_activation_n_bits,
    "isn't checked: inputs have the bits that their producer's set, --bits or an override gives them",
  );
  if (config.simd_size !== null) {
    note("simd_size", config.simd_size, "sizes of memory and registers don't matter to thresholds");
  }
  if ((config.fixed_scale === null) !== (config.fixed_zero_point === null)) {
    const key = config.fixed_scale === null ? "fixed_zero_point" : "fixed_scale";
    note(key, config[key], "a grid is fixed only where scale and zero point are given");
  }
  const { [KERNEL]: _, ...others } = config.attr_weights_configs_mapping;
  for (const [name, attribute] of Object.entries(others)) {
    note(
      `attr_weights_configs_mapping.${name}`,
      describeAttribute(attribute),
      name === BIAS
        ? "biases of integer kernels are int32 with scale s_in·s_w, which is as good as full precision"
        : "no ONNX operator has an attribute of this name",
    );
  }
}

/** Adds a note on one operator of one config. */
type Note = (key: string, value: unknown, why: string) => void;

/**
 * What a config means for one ONNX operator. What it says and can't be honoured goes into the notes.
 */
export function settingsFor(
  op: string,
  config: MctConfig,
  base: Base,
  { path, place }: Location,
  notes: ImportNotes,
): Settings {
  const note: Note = (key, value, why) =>
    notes.add(`${path}.${key}`, value, why, { place, operator: op });
  const { enable_activation_quantization: isEnabled, quantization_preserving: preserves } = config;
  if (isIndex(op)) {
    if (isEnabled || preserves || fixedGridOf(config) !== undefined) {
      note(
        "activation",
        describeConfig(config),
        "{} gives indices, a shape or another type: it stays float",
      );
    }
    noteConstants(config, note);
    return { use: "float", reason: "what it gives are indices, a shape or another type" };
  }
  const keeps = keepsGrid(op);
  if (keeps && (preserves || !AVERAGING_OPERATORS.includes(op))) {
    return preservingSettings(config, note);
  }
  const isJoined = preserves && operatorNamed(op)?.joins === true;
  if (preserves && !isJoined) {
    note(
      "quantization_preserving",
      true,
      `{} computes new values: ${isEnabled ? "they get a grid of their own" : "it stays float"}`,
    );
  }
  const reason = isEnabled || isJoined
    ? whyFloat(op, config, note)
    : "MCT's platform has no quantizer for its output";
  if (reason === undefined) return quantizedSettings(op, config, base, isJoined, note);
  noteConstants(config, note);
  const grid = fixedGridOf(config);
  if (grid !== undefined) note("{fixed_scale, fixed_zero_point}", grid, "it stays float");
  if (hasKernel(op)) note("kernel", describeAttribute(kernelOf(config)), reason);
  return { use: "float", reason };
}

/** Settings of what gives the values of its input, or means of them. */
function preservingSettings(config: MctConfig, note: Note): Settings {
  const { enable_activation_quantization: isEnabled, quantization_preserving: preserves } = config;
  if (preserves && isEnabled) {
    note("enable_activation_quantization", true, "an operator that preserves has no own quantizer");
  } else if (isEnabled) {
    note(
      "enable_activation_quantization",
      true,
      "what only moves values ({}) keeps the grid of its input instead of one of its own",
    );
  } else if (!preserves) {
    note(
      "quantization_preserving",
      false,
      "what only moves values ({}) keeps the grid of its input when it has no quantizer",
    );
  }
  noteConstants(config, note);
  const grid = fixedGridOf(config);
  if (grid !== undefined) note("{fixed_scale, fixed_zero_point}", grid, "its input gives the grid");
  return { use: "preserving" };
}

/** Why an operator that has a quantizer can't be quantized, with a note; undefined when it can. */
function whyFloat(op: string, config: MctConfig, note: Note): string | undefined {
  const activation = activationOf(config);
  if (!fitsActivation(activation)) {
    note("activation_n_bits", activation.bits, "grids have 2 to 16 bits: {} stays float");
    return `MCT's platform has ${activation.bits} bits for its output`;
  }
  if (!hasKernel(op)) return undefined;
  const kernel = kernelOf(config);
  if (!kernel.enable_weights_quantization) return "MCT's platform doesn't quantize its weights";
  if (weightOf(kernel) !== undefined) return undefined;
  note("kernel", kernel.weights_n_bits, "weights have 2 to 8 bits: {} stays float");
  return `MCT's platform has ${kernel.weights_n_bits} bits for its weights`;
}

function quantizedSettings(
  op: string,
  config: MctConfig,
  base: Base,
  isJoined: boolean,
  note: Note,
): Settings {
  const output = {
    ...differences(activationOf(config), base.activation),
    ...fixedOutput(op, config, base.storage, note),
  };
  const common = {
    use: "quantized" as const,
    ...(isJoined ? { inputs: "same" as const } : {}),
    ...(Object.keys(output).length > 0 ? { output } : {}),
  };
  if (hasKernel(op)) {
    const own = differences(kernelSettings(config, note), base.weight);
    return { ...common, ...(Object.keys(own).length > 0 ? { weight: own } : {}) };
  }
  const hasConstants = config.default_weight_attr_config.enable_weights_quantization;
  if (op !== "AddBias" || !hasConstants) {
    noteConstants(config, note);
    return { ...common, ...(hasConstants ? { constants: "quantized" } : {}) };
  }
  const why = "a constant that is added counts as a bias, which stays in full precision";
  noteConstants(config, note, why);
  return common;
}

/** Weight settings of a kernel that fits. */
function kernelSettings(config: MctConfig, note: Note): WeightSettings {
  const kernel = kernelOf(config);
  if (Object.hasOwn(config.attr_weights_configs_mapping, KERNEL)) noteConstants(config, note);
  const method = MCT_METHODS[kernel.weights_quantization_method];
  if (method.startsWith("LUT")) note("kernel.weights_quantization_method", method, NO_TABLES);
  if (kernel.lut_values_bitwidth !== null) {
    note("kernel.lut_values_bitwidth", kernel.lut_values_bitwidth, NO_TABLES);
  }
  return weightOf(kernel)!;
}

/** Notes on constants that are no named attribute. */
function noteConstants(
  { default_weight_attr_config: attribute }: MctConfig,
  note: Note,
  why = attribute.enable_weights_quantization
    ? "constant operands get the activations' bits (at most 8) and constraint, and one scale, where operators compute with them"
    : "constants stay in full precision",
): void {
  note("default_weight_attr_config", describeAttribute(attribute), why);
}

/** Grid or range that doesn't depend on data. */
function fixedOutput(
  op: string,
  config: MctConfig,
  storage: ActivationStorage,
  note: Note,
): Settings["output"] {
  const range = RANGED_OPERATORS.includes(op) ? operatorNamed(op)?.range : undefined;
  const byDefinition = range === undefined ? {} : { fixedRange: true as const };
  const grid = fixedGridOf(config);
  if (grid === undefined) return byDefinition;
  const { scale, zeroPoint } = grid;
  const [first, last] = STORED_CODES[storageFor(config.activation_n_bits, storage)];
  const refuse = (why: string) => {
    note("{fixed_scale, fixed_zero_point}", grid, `not taken: ${why}`);
    return byDefinition;
  };
  if (zeroPoint < first || zeroPoint > last) {
    return refuse(`the zero point is no code from ${first} to ${last}`);
  }
  const [low, high] = [(first - zeroPoint) * scale, (last - zeroPoint) * scale];
  if (range !== undefined && (low - scale > range[0] || high + scale < range[1])) {
    return refuse(`it holds ${low} to ${high}, and ${op} gives ${range[0]} to ${range[1]}`);
  }
  return { fixedGrid: grid };
}

/** What differs from the base. */
function differences<T extends object>(own: T, base: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(own).filter(([key, value]) => value !== base[key as keyof T]),
  ) as Partial<T>;
}

/** A config in one line: what it asks for. */
export function describeConfig(config: MctConfig): string {
  const { bits, constraint, signed } = activationOf(config);
  const { fixed_scale: scale, fixed_zero_point: zeroPoint } = config;
  return [
    config.enable_activation_quantization ? "quantized" : "not quantized",
    ...(config.quantization_preserving ? ["preserving"] : []),
    `${bits} bits ${constraint}, signed ${signed}`,
    ...(scale === null && zeroPoint === null ? [] : [`scale ${scale}, zero point ${zeroPoint}`]),
    `weights ${describeAttribute(kernelOf(config))}`,
    `constants ${describeAttribute(config.default_weight_attr_config)}`,
  ].join("; ");
}

/** An attribute config in one line. */
export function describeAttribute(attribute: MctAttribute): string {
  const { weights_n_bits: bits, lut_values_bitwidth: lut } = attribute;
  return [
    attribute.enable_weights_quantization ? "enabled" : "disabled",
    MCT_METHODS[attribute.weights_quantization_method],
    `${bits} bits`,
    attribute.weights_per_channel_threshold ? "per channel" : "per tensor",
    ...(lut === null ? [] : [`look-up table of ${lut} bits`]),
  ].join(", ");
}
