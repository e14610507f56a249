/**
 * Target platform capabilities (TPC): what the hardware can do, as data.
 *
 * @module
 */
import { z } from "zod";
import { PlimsollError } from "./core/errors.ts";
import defaultTarget from "./targets/default.json" with { type: "json" };
import { RANGED_OPERATORS } from "./operators.ts";
import {
  CONSTRAINTS,
  GRANULARITIES,
  METHOD_CHOICES,
  SIGNEDNESS,
  WEIGHT_METHODS,
} from "./core/types.ts";

const operators = z.array(z.string().min(1)).min(1);

/** Schema of a TPC file, version 1. `schema/target.v1.schema.json` is made from it. */
export const targetSchema = z.strictObject({
  schemaVersion: z.literal(1).describe("Version of this format"),
  name: z.string().min(1).describe("Name of the target"),
  description: z.string().describe("What hardware or runtime it stands for"),
  activation: z.strictObject({
    bits: z.int().min(2).max(16).describe("Bits of an activation code"),
    constraint: z.enum(CONSTRAINTS).describe(
      "Allowed grids: pot = thresholds that are powers of two, symmetric = any threshold, uniform = any range",
    ),
    signed: z.enum(SIGNEDNESS).describe("Signed codes; auto = when a value below zero was seen"),
    error: z.enum(METHOD_CHOICES).describe(
      "How thresholds are chosen; auto decides for each tensor on held-out samples",
    ),
    lpP: z.number().min(1).max(16).optional().describe("Exponent of method lp, default 2"),
    percentile: z.number().gt(0).max(100).optional().describe(
      "Percent of the elements that method percentile keeps, default 99.999",
    ),
    zThreshold: z.number().gt(0).optional().describe(
      "Standard deviations beyond which elements are left out of the search, default none",
    ),
    fixedRanges: z.array(z.enum(RANGED_OPERATORS)).optional().describe(
      "Operators whose range by definition (Clip: its bounds) is taken instead of the data's, default none",
    ),
  }).describe("Quantizer of activations"),
  weight: z.strictObject({
    bits: z.int().min(2).max(8).describe("Bits of a weight code"),
    constraint: z.enum(CONSTRAINTS).describe(
      "Allowed grids: pot = thresholds that are powers of two, symmetric = any step and zero point 0, uniform = any range",
    ),
    granularity: z.enum(GRANULARITIES).describe(
      "channel = one step for each output channel, tensor = one in all",
    ),
    error: z.enum(WEIGHT_METHODS).describe(
      "What the step search minimises; noclipping takes the smallest grid that holds all weights",
    ),
    lpP: z.number().min(1).max(16).optional().describe("Exponent of method lp, default 2"),
    clip: z.boolean().describe("Whether a weight may be clipped by more than half a step"),
  }).describe("Quantizer of weights"),
  operators: z.strictObject({
    quantized: operators.describe("ONNX operators that run on integer inputs and outputs"),
    preserving: operators.describe(
      "ONNX operators whose output keeps the quantization of the input",
    ),
  }).describe("What the target runs on integers; every other operator stays float"),
  fusing: z.array(z.array(operators).min(2)).describe(
    "Patterns that run as one operator: for each position the operators that may stand there",
  ),
  storage: z.strictObject({
    activation: z.literal("uint8").describe(
      "Type of activation codes; signed grids have zero point 128",
    ),
    weight: z.literal("int8").describe("Type of weight codes"),
    bias: z.literal("int32").describe("Type of bias codes"),
  }).describe("How codes are stored in the ONNX file"),
}).describe("Target platform capabilities of Plimsoll");

/** A target platform. */
export type Target = Readonly<z.infer<typeof targetSchema>>;

/** Targets that come with Plimsoll, by name. */
const PRESETS: Readonly<Record<string, unknown>> = { default: defaultTarget };

/** Names of the targets that come with Plimsoll. */
export const TARGET_NAMES: readonly string[] = Object.keys(PRESETS);

/**
 * Checks a parsed TPC file.
 *
 * @throws {PlimsollError} kind `target`; the message names each offending path and what may stand there.
 */
export function parseTarget(value: unknown, name: string): Target {
  const result = targetSchema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) =>
    `${path.length === 0 ? "the top level" : path.join(".")}: ${message}`
  );
  throw new PlimsollError("target", {
    action: `reading target ${JSON.stringify(name)}`,
    wanted: "target platform capabilities as in tpc/schema/target.v1.schema.json",
    found: faults.join("; "),
    remedy: "Correct the file; tpc/targets/default.json is an example",
  });
}

/** A target of {@linkcode TARGET_NAMES} by its name, or undefined. */
export function presetTarget(name: string): Target | undefined {
  return Object.hasOwn(PRESETS, name) ? parseTarget(PRESETS[name], name) : undefined;
}
