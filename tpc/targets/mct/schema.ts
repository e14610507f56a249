/**
 * JSON of Sony MCT's target platform capabilities, schema versions 1 and 2: what `model_dump_json` of its pydantic
 * classes writes (`target_platform_capabilities/schema/v1.py` and `v2.py`, MCT 2.3 to 2.6.1). Values that
 * pydantic fills in when a key is missing are filled in here, too.
 *
 * @module
 */
import * as z from "zod";

/** MCT's `QuantizationMethod` by its number. */
export const MCT_METHODS = [
  "POWER_OF_TWO",
  "LUT_POT_QUANTIZER",
  "SYMMETRIC",
  "UNIFORM",
  "LUT_SYM_QUANTIZER",
] as const;
const POWER_OF_TWO = 0;
/** Width that MCT writes for "not quantized". */
const FLOAT_BITS = 32;

const method = z.int().min(0).max(MCT_METHODS.length - 1);
const bits = z.int().min(1);

const attributeConfig = z.strictObject({
  weights_quantization_method: method.default(POWER_OF_TWO),
  weights_n_bits: bits.default(FLOAT_BITS),
  weights_per_channel_threshold: z.boolean().default(false),
  enable_weights_quantization: z.boolean().default(false),
  lut_values_bitwidth: z.int().nullable().default(null),
});

const operatorConfig = z.strictObject({
  default_weight_attr_config: attributeConfig,
  attr_weights_configs_mapping: z.record(z.string(), attributeConfig),
  activation_quantization_method: method,
  activation_n_bits: bits,
  supported_input_activation_n_bits: z.union([
    z.array(z.int()),
    z.int().transform((only) => [only]),
  ]),
  enable_activation_quantization: z.boolean(),
  quantization_preserving: z.boolean(),
  signedness: z.int().min(0).max(2),
  fixed_scale: z.number().positive().nullable().default(null),
  fixed_zero_point: z.int().nullable().default(null),
  simd_size: z.int().nullable().default(null),
});

const options = z.strictObject({
  quantization_configurations: z.array(operatorConfig).min(1),
  base_config: operatorConfig.nullable().default(null),
});

const operatorSet = z.strictObject({
  name: z.string().min(1),
  qc_options: options.nullable().default(null),
  type: z.literal("OperatorsSet").default("OperatorsSet"),
});

const operatorSetGroup = z.strictObject({
  operators_set: z.array(operatorSet).min(1),
  name: z.string().nullable().default(null),
  type: z.literal("OperatorSetGroup"),
});

const operatorGroups = z.array(z.discriminatedUnion("type", [
  operatorSetGroup,
  operatorSet.extend({ type: z.literal("OperatorsSet") }),
])).min(2);

const fusing1 = z.strictObject({
  operator_groups: operatorGroups,
  name: z.string().nullable().default(null),
});
const fusing2 = fusing1.extend({
  fuse_op_quantization_config: operatorConfig.nullable().default(null),
});

const platform1 = z.strictObject({
  default_qco: options,
  operator_set: z.array(operatorSet).nullable().default(null),
  fusing_patterns: z.array(fusing1).nullable().default(null),
  tpc_minor_version: z.int().nullable().default(null),
  tpc_patch_version: z.int().nullable().default(null),
  tpc_platform_type: z.string().nullable().default(null),
  add_metadata: z.boolean().default(true),
  name: z.string().nullable().default("default_tpc"),
  is_simd_padding: z.boolean().default(false),
  SCHEMA_VERSION: z.literal(1),
});
const platform2 = platform1.extend({
  fusing_patterns: z.array(fusing2).nullable().default(null),
  insert_preserving_quantizers: z.boolean().default(false),
  SCHEMA_VERSION: z.literal(2),
});

/** Schema of each version, by its number. */
export const MCT_SCHEMAS = { 1: platform1, 2: platform2 } as const;

/** A platform of either version. */
export type MctPlatform = z.infer<typeof platform1> | z.infer<typeof platform2>;
/** How operators of one kind are quantized. */
export type MctConfig = z.infer<typeof operatorConfig>;
/** How one attribute of an operator is quantized: its weights, or constants without a name. */
export type MctAttribute = z.infer<typeof attributeConfig>;
/** Choices for operators of one kind. */
export type MctOptions = z.infer<typeof options>;
/** A set of operators. */
export type MctOperatorSet = z.infer<typeof operatorSet>;
/** A fusing pattern of either version. */
export type MctFusing = z.infer<typeof fusing1> | z.infer<typeof fusing2>;
