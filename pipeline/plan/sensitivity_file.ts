/**
 * `sensitivity.json`: what each quantizer alone costs the outputs, measured. A later plan takes what still holds of it.
 *
 * @module
 */
import * as z from "zod";
import { PlimsollError } from "../../core/errors.ts";
import { firstFaults } from "../../core/first_faults.ts";
import type { Losses } from "./plan_problem.ts";

const loss = z.number().min(0).nullable().describe("What it costs the outputs; null when infinite");
const key = z.string().describe("Equal for the same grid");
const bits = z.int().min(2).max(16);
const isEstimated = z.literal(true).optional().describe(
  "Not measured, since time was up: from its own error and what others of its kind cost for theirs",
);

/** Schema of the file, version 1. */
export const sensitivitySchema = z.strictObject({
  schemaVersion: z.literal(1),
  model: z.strictObject({ sha256: z.string() }).describe("The float model file"),
  data: z.strictObject({
    samples: z.int().min(1),
    sha256: z.string().describe("Of the samples that were run"),
  }),
  measure: z.enum(["squared", "kl"]).describe(
    "squared = Σ over outputs of Σ(y′ − y)² / Σy², kl = mean KL divergence of softmaxed classes",
  ),
  activations: z.array(z.strictObject({ tensor: z.string(), bits, key, loss, isEstimated })),
  weights: z.array(z.strictObject({ node: z.string(), bits, key, loss, isEstimated })),
  joint: z.strictObject({ predicted: z.number().nullable(), measured: z.number().nullable() })
    .describe("All usual quantizers together: the sum of their losses, and what was measured"),
}).describe("What each quantizer costs the outputs of a model");

/** What each quantizer costs the outputs. */
export type Sensitivity = Readonly<z.infer<typeof sensitivitySchema>>;

/**
 * Checks a parsed file.
 *
 * @throws {PlimsollError} kind `input`, naming the first offending paths.
 */
export function parseSensitivity(value: unknown, name: string): Sensitivity {
  const result = sensitivitySchema.safeParse(value);
  if (result.success) return result.data;
  throw new PlimsollError("input", {
    action: `reading sensitivities ${JSON.stringify(name)}`,
    wanted: "what `quantize --plan` writes",
    found: firstFaults(result.error),
    remedy: "Leave them out: they are measured then",
  });
}

/** Losses as plans ask for them; of a quantizer that nobody has measured, infinite. */
export function lossesOfSensitivity(
  { activations, weights }: Pick<Sensitivity, "activations" | "weights">,
): Losses {
  const of = <T extends { bits: number; loss: number | null }>(
    list: readonly T[],
    name: (entry: T) => string,
  ) => {
    const known = new Map(
      list.map((entry) => [`${entry.bits} ${name(entry)}`, entry.loss ?? Infinity] as const),
    );
    return (wanted: string, bits: number) => known.get(`${bits} ${wanted}`) ?? Infinity;
  };
  return {
    activation: of(activations, ({ tensor }) => tensor),
    weights: of(weights, ({ node }) => node),
  };
}
