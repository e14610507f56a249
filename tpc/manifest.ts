/**
 * The threshold manifest: every decision of a quantization, with its reason, as canonical JSON. It
 * holds all that emission needs besides the model.
 *
 * @module
 */
import * as z from "zod";
import { PlimsollError } from "../core/errors.ts";
import { firstFaults } from "../core/first_faults.ts";
import { recipeSchema } from "./recipe/recipe.ts";
import { rewritesSchema } from "../onnx/rewrites/rewrites.ts";
import { LEAST_STEP, MAX_FLOAT } from "../core/grid.ts";
import {
  ACTIVATION_STORAGES,
  CONSTRAINTS,
  ERROR_METHODS,
  GRANULARITIES,
  WEIGHT_METHODS,
  WEIGHT_STORAGES,
} from "../core/types.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/).describe("SHA-256, hexadecimal");
const count = z.int().min(0);
const bits = z.int().min(2).max(16);
const bound = z.number().nullable();
// A normal float32: subnormal ones divide by 0 where a runtime flushes them.
const scale = z.number().min(LEAST_STEP).max(MAX_FLOAT);

const activation = z.strictObject({
  tensor: z.string().describe("Name of the tensor in the model"),
  producer: z.strictObject({ op: z.string(), node: z.string() }).nullable()
    .describe("Operator that makes the tensor, the last of a fused chain; null for a model input"),
  fused: z.array(z.string()).describe("Nodes fused into the producer"),
  clamp: z.strictObject({ low: bound, high: bound })
    .describe("Range that the fused nodes leave, in real units; null = open"),
  shape: z.array(z.int().nullable()).describe("Shape for one sample; null where it varied"),
  sameAs: z.string().optional().describe("Tensor whose grid this one has"),
  derived: z.literal(true).optional().describe(
    "Made from tensors of the same grid by an operator that preserves it: codes need no clipping",
  ),
  sharedWith: z.array(z.string()).optional().describe(
    "Further tensors that the grid was chosen for; the statistics are those of all together",
  ),
  bits,
  signed: z.boolean(),
  constraint: z.enum(CONSTRAINTS),
  method: z.enum(ERROR_METHODS).describe("Error method that chose the threshold"),
  fixed: z.literal(true).optional().describe(
    "The target fixes the range of this operator's outputs, whatever method and data",
  ),
  threshold: z.number().positive().describe("Real magnitude up to which the tensor may be loaded"),
  scale: scale.describe("Real units per integer step, a float32"),
  storage: z.enum(ACTIVATION_STORAGES).describe("Type of the codes"),
  zeroPoint: z.int().describe("Code that stands for zero, as stored"),
  quantizedMin: z.int().describe("Smallest code, as stored, after the fused nodes"),
  quantizedMax: z.int().describe("Largest code, as stored, after the fused nodes"),
  reason: z.array(z.string()).describe("Why this tensor, sign and threshold"),
  statistics: z.strictObject({
    elements: count.describe("Finite elements seen"),
    zeros: count,
    min: z.number().nullable(),
    max: z.number().nullable(),
    mean: z.number().nullable(),
    clippedFraction: z.number().min(0).max(1).describe(
      "Part of the elements outside the threshold",
    ),
    error: z.number().min(0).nullable().describe(
      "ERR of the method at the choice, per element; MSE for methods that set a range",
    ),
    bounds: z.strictObject({ lower: z.number().min(0), upper: z.number().min(0) }).nullable()
      .describe("The true error lies between these; equal when error is exact, null for KL"),
    sqnr: z.number().nullable().describe("10·log10(Σx² / Σ(Q(x)−x)²) in dB; null when infinite"),
    lost: z.number().min(0).optional().describe(
      "Σ(Q(x)−x)² / Σx², the part of the signal that the grid loses; absent in older manifests",
    ),
    curve: z.array(z.strictObject({
      threshold: z.number().positive(),
      error: z.number().min(0),
    })).describe(
      "ERR of candidates, descending thresholds, without those that can't win by far; empty for methods that set a range",
    ),
  }).optional().describe("Absent where sameAs is present"),
});

const weight = z.strictObject({
  tensor: z.string().describe("Name of the initializer"),
  node: z.string().describe("Node that reads it"),
  op: z.string(),
  input: z.int().min(0).describe("Number of the node's input"),
  activation: z.string().describe("Activation tensor that the weights meet"),
  compute: z.enum(["dynamic", "float"]).optional().describe(
    "How the layer computes where not with codes of its activation's grid: dynamic = with codes that its input gets at run time, float = with the real numbers that the codes stand for",
  ),
  bias: z.strictObject({
    tensor: z.string(),
    // No operator has its bias further behind, and inputs up to it are made where there are fewer.
    input: z.int().min(0).max(16),
    node: z.string().optional().describe(
      "Node that adds it, where that is another one, as the Add behind a MatMul",
    ),
  }).optional(),
  axis: z.int().min(0).describe(
    "Axis of the output channels; of granularity block that of the blocks",
  ),
  bits,
  constraint: z.enum(CONSTRAINTS),
  granularity: z.enum(GRANULARITIES).describe("Which weights share a step"),
  blockSize: z.int().min(1).optional().describe("Weights in a block, of granularity block"),
  method: z.enum(WEIGHT_METHODS).describe("Error method that chose the steps"),
  lpP: z.number().min(1).optional().describe("Exponent of method lp, default 2"),
  storage: z.enum(WEIGHT_STORAGES).describe("Type of the codes"),
  clip: z.boolean().describe("Whether a weight may be clipped by more than half a step"),
  biasCorrection: z.boolean().optional().describe(
    "Whether what rounding adds to the output on average is taken out of the bias, default yes",
  ),
  inputMeans: z.array(z.number()).optional().describe(
    "Mean of each input channel over the calibration samples, until the shift of the bias is computed from it",
  ),
  inputVariances: z.array(z.number()).optional().describe(
    "Variance of each input channel, for method output, until the steps are searched",
  ),
  biasShift: z.array(z.number()).optional().describe(
    "What is taken away from the bias of each output channel, in real units",
  ),
  rounding: z.enum(["gptq", "sequential"]).optional().describe(
    "Codes aren't the nearest ones: they are in the file of codes beside the manifest",
  ),
  reason: z.array(z.string()),
  steps: z.strictObject({
    scales: z.array(scale).min(1).describe(
      "Real units per step: one a channel, one in all, or one a block in the order of their first weights",
    ),
    zeroPoints: z.array(z.int().min(-128).max(255)).min(1).optional().describe(
      "Codes that stand for zero, as stored, one a scale; all 0 where absent",
    ),
    sqnr: z.number().nullable().describe("Of the whole tensor, dB; null when infinite"),
  }).optional().describe("Absent in a manifest searched without the model: emission searches them"),
});

/** Schema of the manifest, version 1. `schema/manifest.v1.schema.json` is made from it. */
export const manifestSchema = z.strictObject({
  schemaVersion: z.literal(1),
  tool: z.strictObject({ name: z.literal("plimsoll"), version: z.string() }),
  model: z.strictObject({ sha256 }).describe("The float model file"),
  target: z.strictObject({
    name: z.string(),
    sha256: sha256.describe(
      "Of the target's compact canonical JSON, options of the command applied",
    ),
  }),
  data: z.strictObject({
    samples: count.describe("Samples that count"),
    skipped: count.describe("Samples left out because they made NaN or infinity"),
    preprocessing: sha256.nullable().describe("Of the preprocessing; null when it isn't known"),
    sha256: sha256.describe("Sum modulo 2^256 of the SHA-256 of each preprocessed sample"),
  }),
  statistics: z.strictObject({ sha256 }).describe("The statistics file"),
  recipe: recipeSchema.optional().describe(
    "What was wished, with the whole target before the wishes and the preprocessing where it is known: `--recipe` takes it",
  ),
  rewrites: rewritesSchema.optional().describe(
    "Exact rewrites of the prepared graph that the manifest is for; none where absent",
  ),
  codes: z.strictObject({ sha256 }).optional().describe(
    "The file of codes, where weights aren't rounded to the nearest ones",
  ),
  activations: z.array(activation).describe("In topological order"),
  weights: z.array(weight).describe("In topological order"),
  tables: z.array(z.strictObject({
    tensor: z.string().describe("Name of the initializer"),
    node: z.string().describe("Gather that picks its rows"),
    bits: z.union([z.literal(4), z.literal(8)]),
    blockSize: z.int().min(1).optional().describe(
      "Numbers of a row that share a step, of 4 bits; of 8 bits a row has one",
    ),
    rows: z.int().min(1).describe("Rows, each with a step of its own"),
    reason: z.string(),
  })).optional().describe("Tables of Gather, as embeddings, whose rows are stored in codes"),
  recurrent: z.array(z.strictObject({
    node: z.string(),
    op: z.string(),
    kernel: z.literal("DynamicQuantizeLSTM").describe("Operator of ONNX Runtime in its place"),
    bits: z.int().min(2).max(8).describe("Bits of its weights, one step an output channel"),
    weights: z.array(z.string()).describe("Names of the initializers"),
    reason: z.string(),
  })).optional().describe("Recurrent layers whose input is quantized at run time"),
  stored: z.array(z.strictObject({
    tensor: z.string().describe("Name of the initializer"),
    type: z.enum(["int8", "float16", "float32"]).optional().describe(
      "What it is stored in; absent until the model was looked at",
    ),
    sqnr: z.number().nullable().optional().describe(
      "Of the stored numbers against float32, dB; null when infinite",
    ),
    reason: z.array(z.string()),
  })).optional().describe(
    "Further constants that are stored in fewer bytes, or can't be, while all that reads them computes in float",
  ),
  float: z.array(z.strictObject({
    node: z.string(),
    op: z.string(),
    island: z.int().min(0).describe(
      "Number of the island: float nodes that pass float tensors to each other are one",
    ),
    reason: z.string(),
  })).describe("Nodes that stay float, and why"),
}).describe("Threshold manifest of Plimsoll");

/** A threshold manifest. */
export type Manifest = Readonly<z.infer<typeof manifestSchema>>;
/** One activation of a manifest. */
export type ManifestActivation = Manifest["activations"][number];
/** One weight tensor of a manifest. */
export type ManifestWeight = Manifest["weights"][number];
/** One constant of a manifest that is stored in fewer bytes. */
export type ManifestStored = NonNullable<Manifest["stored"]>[number];

/**
 * Checks a parsed manifest.
 *
 * @throws {PlimsollError} kind `input`, naming the first offending paths.
 */
export function parseManifest(value: unknown, name: string): Manifest {
  const result = manifestSchema.safeParse(value);
  if (result.success) return result.data;
  throw new PlimsollError("input", {
    action: `reading manifest ${JSON.stringify(name)}`,
    wanted: "a manifest as in tpc/schema/manifest.v1.schema.json",
    found: firstFaults(result.error),
    remedy: "Make it again with `search` or `quantize`",
  });
}
