/**
 * `costs.json`: what the kernels of a model took on some machine, as plans take it in place of the target's costs.
 *
 * @module
 */
import * as z from "zod";
import { PlimsollError } from "../../core/errors.ts";
import { firstFaults } from "../../core/first_faults.ts";

const nanoseconds = z.number().min(0).max(1e15);

/** Schema of the file, version 1. */
export const costsFileSchema = z.strictObject({
  schemaVersion: z.literal(1),
  runtime: z.string().min(1).describe("Runtime that was measured"),
  model: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }).describe(
    "The float model file",
  ),
  runs: z.int().min(1).describe(
    "Runs that each number is the median of; the mean where the clock is coarse",
  ),
  float: nanoseconds.describe("The whole float model, for one run"),
  integer: nanoseconds.describe(
    "The model with everything on integers that the target can have so",
  ),
  quantize: nanoseconds.describe("For an element that goes from floats to codes"),
  dequantize: nanoseconds.describe("For an element that goes from codes to floats"),
  change: nanoseconds.optional().describe("For each such change beside its elements, default 0"),
  units: z.array(z.strictObject({
    node: z.string().describe("Node that overrides name the unit by"),
    op: z.string(),
    float: nanoseconds.describe("With floats"),
    integer: nanoseconds.describe("With codes"),
  })).describe("Units that the target can have on integers"),
}).describe("What the kernels of a model take, in nanoseconds");

/** What the kernels of a model took. */
export type CostsFile = Readonly<z.infer<typeof costsFileSchema>>;

/**
 * Checks a parsed file.
 *
 * @throws {PlimsollError} kind `input`, naming the first offending paths.
 */
export function parseCosts(value: unknown, name: string): CostsFile {
  const result = costsFileSchema.safeParse(value);
  if (result.success) return result.data;
  throw new PlimsollError("input", {
    action: `reading costs ${JSON.stringify(name)}`,
    wanted: "what `profile` writes",
    found: firstFaults(result.error),
    remedy: "Make it again with `profile`",
  });
}
