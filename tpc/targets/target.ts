/**
 * Target platform capabilities (TPC): what the hardware can do, as data. Format version 2.
 *
 * @module
 */
import * as z from "zod";
import { LEAST_STEP, MAX_FLOAT } from "../../core/grid.ts";
import {
  ACTIVATION_STORAGES,
  ACTIVATION_TIMES,
  CONSTRAINTS,
  GRANULARITIES,
  METHOD_CHOICES,
  SIGNEDNESS,
  WEIGHT_METHODS,
  WEIGHT_ONLY_TYPES,
  WEIGHT_STORAGES,
} from "../../core/types.ts";

const operatorNames = z.array(z.string().min(1)).min(1);
const exponent = z.number().min(1).max(16).optional().describe("Exponent of method lp, default 2");
const activationBits = z.int().min(2).max(16);
const weightBits = z.int().min(2).max(8);

const activation = z.strictObject({
  bits: activationBits.describe("Bits of an activation code"),
  constraint: z.enum(CONSTRAINTS).describe(
    "Allowed grids: pot = thresholds that are powers of two, symmetric = any threshold, uniform = any range",
  ),
  signed: z.enum(SIGNEDNESS).describe("Signed codes; auto = when a value below zero was seen"),
  error: z.enum(METHOD_CHOICES).describe(
    "How thresholds are chosen; auto decides for each tensor on held-out samples",
  ),
  lpP: exponent,
  percentile: z.number().gt(0).max(100).optional().describe(
    "Percent of the elements that method percentile keeps, default 99.999",
  ),
  zThreshold: z.number().gt(0).optional().describe(
    "Standard deviations beyond which elements are left out of the search, default none",
  ),
});

const weight = z.strictObject({
  bits: weightBits.describe("Bits of a weight code"),
  constraint: z.enum(CONSTRAINTS).describe(
    "Allowed grids: pot = thresholds that are powers of two, symmetric = any step and zero point 0, uniform = any range",
  ),
  granularity: z.enum(GRANULARITIES).describe(
    "channel = one step for each output channel, tensor = one in all, block = one for every blockSize weights along the input axis of Gemm and MatMul (opset 21; other operators take channel)",
  ),
  blockSize: z.union([16, 32, 64, 128, 256].map((size) => z.literal(size))).optional().describe(
    "Weights in a block, default 32",
  ),
  error: z.enum(WEIGHT_METHODS).describe(
    "What the step search minimises; noclipping takes the smallest grid that holds all weights, output counts squared errors by the variance of the inputs",
  ),
  lpP: exponent,
  clip: z.boolean().optional().describe(
    "Whether a weight may be clipped by more than half a step; default: with fewer than 8 bits",
  ),
  biasCorrection: z.boolean().optional().describe(
    "Whether what the rounding of weights adds to the output on average is taken out of the bias, default true",
  ),
});

const outputQuantizer = activation.partial().extend({
  fixedRange: z.literal(true).optional().describe(
    "Take the range that the operator has by definition (Softmax, Sigmoid, HardSigmoid 0 … 1, Tanh −1 … 1, Clip its bounds) instead of the data's",
  ),
  fixedGrid: z.strictObject({
    scale: z.number().min(LEAST_STEP).max(MAX_FLOAT).describe("Real units per step"),
    zeroPoint: z.int().describe("Code of zero, in the target's storage type"),
  }).optional().describe("Take this grid, whatever the data"),
});

const operatorSet = z.strictObject({
  name: z.string().min(1).describe("Name, unique in the target"),
  operators: operatorNames.describe(
    'ONNX operators ("domain:Operator" outside the default domain) and composites, by name',
  ),
  where: z.record(z.string(), z.array(z.union([z.string(), z.number()])).min(1)).optional()
    .describe("Attribute → values that it may have; the set holds only nodes that fit"),
  multiplicationsBelow: z.int().min(1).optional().describe(
    "The set holds only layers whose outputs take fewer multiplications each, as depthwise convolutions do",
  ),
  use: z.enum(["quantized", "preserving", "float"]).describe(
    "quantized = integer inputs and outputs, preserving = the output keeps the quantization of the input, float = float",
  ),
  reason: z.string().optional().describe("Why, for the manifest; for sets that stay float"),
  output: outputQuantizer.optional().describe("What differs from `activation` for their outputs"),
  weight: weight.partial().optional().describe("What differs from `weight` for their weights"),
  inputs: z.enum(["own", "same"]).optional().describe(
    "same = all inputs and the output share one grid, but for inputs whose grid is fixed or less than half as wide, which are requantized at the edge; default own",
  ),
  onlyIfCheaper: z.literal(true).optional().describe(
    "Quantized only where that takes fewer quantizers than leaving it float, whose kernel is as fast; layers also where it takes as many, unless only floats read them",
  ),
  constants: z.enum(["quantized", "float"]).optional().describe(
    "What becomes of constant operands (of Add, Mul …); default float",
  ),
  recurrent: z.enum(["dynamic", "stored"]).optional().describe(
    "What becomes of constant weights of LSTM, GRU and RNN, and of those that sub-graphs of If, Loop and Scan read, where the set stays float: dynamic = int8, input and state quantized as the model runs (DynamicQuantizeLSTM; others are stored), stored = int8 in the file, float in the kernel; default float32",
  ),
  floatOutput: z.boolean().optional().describe(
    "Whether the kernel can give float: then the output is quantized only where a quantized operator reads it",
  ),
}).describe(
  "Operators that the target treats alike; of several sets that hold a node the first counts",
);

const pattern = {
  name: z.string().min(1).describe("Name, unique in its list, for the manifest"),
  reason: z.string().min(1).describe("Why, for the manifest"),
  operators: operatorNames.describe("Operators and composites that it is about"),
  operands: z.literal("activations").optional().describe(
    "Only where all that they work on are activations, as products in attention; default anything",
  ),
  before: operatorNames.optional().describe(
    "Only where they lead to one of these, by way of each other, of `passing` and of operators that move elements; default anywhere",
  ),
  input: z.int().min(0).optional().describe(
    "Number of the input of `before` that counts, as 1 for what Div divides by; default all",
  ),
  passing: operatorNames.optional().describe(
    "Operators that the way to `before` may lead through, without being meant",
  ),
};

const keepFloat = z.strictObject(pattern).describe(
  "Operators that stay float by pattern, where integers would lose more than they save",
);

const setting = z.strictObject({
  ...pattern,
  activation: activation.partial().describe("What differs for the tensors that they make"),
}).describe("Quantizers of operators by pattern");

const composite = z.strictObject({
  name: z.string().min(1).describe("Name, used in operator sets and fusing patterns"),
  forms: z.array(z.string().min(1)).min(1).describe(
    "Expressions that exporters write for it, as `Mul(x, Sigmoid(x))`: x = the input, c = any constant",
  ),
  behind: operatorNames.optional().describe(
    "Operators that must make the input; anything may when absent",
  ),
});

const fusing = z.strictObject({
  name: z.string().min(1).describe("Name, for the manifest"),
  pattern: z.array(operatorNames).min(2).describe(
    "For each position the operators that may stand there; of several patterns the longest counts",
  ),
});

const nanoseconds = z.number().min(0).max(1e9);
const work = z.strictObject({
  output: nanoseconds.describe("For every element that it makes"),
  multiplication: nanoseconds.optional().describe(
    "For every multiplication, of layers with weights; default 0",
  ),
  weight: nanoseconds.optional().describe("For every weight; default 0"),
});

const cost = z.strictObject({
  operators: operatorNames.describe("Operators and composites"),
  kernel: z.enum(["depthwise", "pointwise"]).optional().describe(
    "Only convolutions of one input channel an output, or of windows of one element that aren't; default any",
  ),
  float: work.describe("The float kernel"),
  integer: work.describe("The integer kernel"),
}).describe("What an operator takes in nanoseconds; of several that hold it the first counts");

const costs = z.strictObject({
  measured: z.string().min(1).describe("On what they were measured"),
  operators: z.array(cost).min(1).describe(
    "Operators with a float and an integer kernel; others take as long either way",
  ),
  quantize: nanoseconds.describe(
    "For an element that goes from floats to codes, with changes of layout",
  ),
  dequantize: nanoseconds.describe(
    "For an element that goes from codes to floats, with changes of layout",
  ),
  change: nanoseconds.optional().describe(
    "For each change between floats and codes, however small: further kernels to call, fusions that end there; default 0",
  ),
}).describe("What kernels take on the target's runtime");

const override = z.strictObject({
  match: z.strictObject({
    tensor: z.string().optional().describe("Name of the activation tensor"),
    node: z.string().optional().describe("Name of the node that makes it or reads the weights"),
    operator: z.union([z.string(), operatorNames]).optional().describe(
      "Operator of that node, or several of which any may be it",
    ),
  }).describe("All that are given must fit; * stands for anything, /…/ is a regular expression"),
  optional: z.literal(true).optional().describe(
    "Say nothing when it fits no tensor or node of a model; otherwise that is an error",
  ),
  quantize: z.literal(false).optional().describe("Leave the node float"),
  compute: z.enum(["dynamic", "float", "integer"]).optional().describe(
    "dynamic = quantize the input of a MatMul, Gemm or LSTM with constant weights as the model runs, whatever its neighbours do; float = leave the node float and store its weights in codes; integer = compute with codes where the target can, whatever costs and `onlyIfCheaper` say",
  ),
  reason: z.string().min(1).optional().describe("Why, for the manifest"),
  planned: z.literal(true).optional().describe(
    "Made by a plan: calibrations look at what they would without it, so that statistics serve any plan",
  ),
  activation: activation.partial().optional().describe("What differs for the tensor"),
  weight: weight.partial().optional().describe("What differs for the weights of the node"),
}).describe("Setting for tensors and nodes by name; of several that fit the last counts");

const allowed = z.strictObject({
  activation: z.strictObject({
    bits: z.array(activationBits).min(1).optional().describe("Bits that may be set"),
    constraint: z.array(z.enum(CONSTRAINTS)).min(1).optional().describe(
      "Constraints that may be set",
    ),
  }).optional().describe("What may be set for activations"),
  weight: z.strictObject({
    bits: z.array(weightBits).min(1).optional().describe("Bits that may be set"),
    constraint: z.array(z.enum(CONSTRAINTS)).min(1).optional().describe(
      "Constraints that may be set",
    ),
    granularity: z.array(z.enum(GRANULARITIES)).min(1).optional().describe(
      "Granularities that may be set",
    ),
  }).optional().describe("What may be set for weights"),
});

/** Schema of a whole target. */
export const targetSchema = z.strictObject({
  schemaVersion: z.literal(2).describe("Version of this format"),
  name: z.string().min(1).describe("Name of the target"),
  description: z.string().describe("What hardware or runtime it stands for"),
  activation: activation.describe("Quantizer of activations"),
  weight: weight.describe("Quantizer of weights"),
  storage: z.strictObject({
    activation: z.enum(ACTIVATION_STORAGES).describe(
      "Type of activation codes; more than 8 bits take the type of 16 bits with the same sign",
    ),
    weight: z.enum(WEIGHT_STORAGES).describe(
      "Type of weight codes; int4 for at most 4 bits, others stay int8",
    ),
    bias: z.literal("int32").describe("Type of bias codes"),
  }).describe("How codes are stored in the ONNX file"),
  allowed: allowed.optional().describe(
    "Values that options and overrides may set; what isn't listed may be anything",
  ),
  operatorSets: z.array(operatorSet).min(1).describe(
    "What the target does with each operator; one that no set holds stays float",
  ),
  keepFloat: z.array(keepFloat).optional().describe(
    "What stays float by pattern, although its operator set quantizes it",
  ),
  settings: z.array(setting).optional().describe(
    "What quantizers get by pattern that differs from `activation`; overrides count more",
  ),
  options: z.strictObject({
    float: z.boolean().optional().describe(
      "Whether a unit may stay float, its weights in codes or not; default false",
    ),
    weightBits: z.array(weightBits).min(1).optional().describe(
      "Bits that the weights of a layer may have beside the usual ones",
    ),
    activationBits: z.array(activationBits).min(1).optional().describe(
      "Bits that a tensor may have beside the usual ones",
    ),
  }).optional().describe("What a plan may choose for each unit and tensor"),
  costs: costs.optional().describe(
    "What kernels take in time: units whose integer kernels take longer than their float ones, quantizers at their borders included, stay float with weights in codes, instead of what `onlyIfCheaper` counts",
  ),
  composites: z.array(composite).optional().describe(
    "Sub-graphs that count as one operator, beside the built-in ones",
  ),
  fusing: z.array(fusing).describe("Chains that run as one operator, without a quantizer inside"),
  overrides: z.array(override).optional().describe("Settings for tensors and nodes by name"),
  layers: z.strictObject({
    activations: z.enum(ACTIVATION_TIMES).optional().describe(
      "static = activations have grids that were chosen from data, dynamic = inputs of MatMul and Gemm with constant weights are quantized as the model runs and all else stays float; default static",
    ),
    weightOnly: z.enum(WEIGHT_ONLY_TYPES).optional().describe(
      "Nothing is quantized but weights, which are stored in this and compute in float",
    ),
  }).optional().describe("How layers with weights compute"),
  rewrites: z.strictObject({
    reluBounds: z.boolean().optional().describe(
      "Whether bounds of ReLU6 and its like move to a power of two, the layers around taking the factor; default: where activations are powers of two",
    ),
    flatClamps: z.boolean().optional().describe(
      "Whether outputs of convolutions are clamped to where the function behind them isn't flat, as HardSwish below −3: for targets that quantize them apart; default false",
    ),
    equalization: z.boolean().optional().describe(
      "Whether neighbouring layers share the range of their weights (needs a pass over the samples); default false",
    ),
    scaleMigration: z.boolean().optional().describe(
      "Whether channels of activations that are made as floats are scaled for the layers behind, where that errs less (needs a look at some samples); default false",
    ),
    shiftNegative: z.boolean().optional().describe(
      "Whether activations with a small negative side are shifted to start at or above zero where thresholds are powers of two (needs a pass over the samples); default false",
    ),
  }).optional().describe("Exact rewrites of the graph before calibration"),
}).describe("Target platform capabilities of Plimsoll, version 2");

/** Schema of what differs from another target. */
export const extensionSchema = targetSchema.partial().extend({
  schemaVersion: z.literal(2).describe("Version of this format"),
  name: z.string().min(1).describe("Name of the target"),
  extends: z.string().min(1).describe("Target that this one starts from, by name"),
  activation: activation.partial().optional().describe(
    "What differs of the quantizer of activations",
  ),
  weight: weight.partial().optional().describe("What differs of the quantizer of weights"),
  storage: targetSchema.shape.storage.partial().optional().describe("What differs of the storage"),
  without: z.array(z.string().min(1)).optional().describe(
    "Operator sets, fusing patterns, composites, rules of keepFloat and settings of that target that this one leaves out, by name",
  ),
}).describe(
  "What differs from another target. Sets, patterns and composites of the same name replace those of that target, others stand before them",
);

/** Schema of a TPC file; `schema/target.v2.schema.json` is made from it. */
export const targetFileSchema = z.union([targetSchema, extensionSchema]).describe(
  "File of target platform capabilities of Plimsoll, version 2: a whole target, or what differs from another one",
);

/** A target platform. */
export type Target = Readonly<z.infer<typeof targetSchema>>;
/** A set of operators that a target treats alike. */
export type OperatorSet = Target["operatorSets"][number];
/** Which operators of a graph a rule is about. */
export type Pattern = Readonly<z.infer<z.ZodObject<typeof pattern>>>;
/** What kernels take on a target's runtime. */
export type Costs = NonNullable<Target["costs"]>;
/** A setting for tensors and nodes by name. */
export type Override = NonNullable<Target["overrides"]>[number];
