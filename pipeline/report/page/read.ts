/**
 * Files that a report is made of besides manifest and statistics.
 *
 * @module
 */
import * as z from "zod";
import { PlimsollError } from "../../../core/errors.ts";
import { firstFaults } from "../../../core/first_faults.ts";
import type { Plan } from "../../plan/plan.ts";
import type { Diagnosis } from "../../diagnose/diagnosis.ts";
import type { EvaluatedModel } from "./collect.ts";

const number = z.number().nullable();
const evaluation = z.looseObject({
  name: z.string(),
  samples: z.int().min(1),
  top1: number,
  top5: number,
  loss: number,
  agreement: z.number(),
  sqnr: number,
  cosine: z.number(),
  outputs: z.array(z.looseObject({ output: z.string() })).default([]),
});
const compared = z.looseObject({
  evaluation,
  bytes: z.number(),
  againstFloat: z.looseObject({
    difference: z.number(),
    interval: z.tuple([z.number(), z.number()]),
  })
    .nullable(),
});
const evaluationFile = z.union([
  z.looseObject({ models: z.array(evaluation).min(1) })
    .transform(({ models }) => models.map((entry) => ({ evaluation: entry }))),
  z.looseObject({ float: compared, variants: z.array(compared) })
    .transform(({ float, variants }) => [float, ...variants]),
]);

const error = z.looseObject({ sqnr: number, cosine: z.number(), maxAbs: z.number() });
const remedy = z.looseObject({
  tensor: z.string(),
  change: z.string(),
  sqnr: number,
  gain: number,
  agreement: z.number(),
  top1: number,
});
const diagnosisFile = z.looseObject({
  schemaVersion: z.literal(1),
  samples: z.int().min(1),
  data: z.enum(["calibration", "evaluation"]),
  tensors: z.array(z.looseObject({ tensor: z.string(), accumulated: error, local: error })),
  output: z.looseObject({ sqnr: number }).nullable(),
  remedies: z.looseObject({ tried: z.array(remedy) }).nullable(),
});

const figures = z.looseObject({ loss: number, latency: number, size: z.number() });
const planFile = z.looseObject({
  schemaVersion: z.literal(1),
  goal: z.string().min(1),
  rounds: z.array(
    z.looseObject({ name: z.string(), predicted: figures.nullable(), measured: figures }),
  ).min(1),
  chosen: z.int().min(0),
  isWithin: z.boolean(),
  samples: z.looseObject({ sensitivity: z.int(), models: z.int() }),
  units: z.array(z.looseObject({
    node: z.string(),
    op: z.string(),
    choice: z.enum(["integer", "stored", "float"]),
    weightBits: number,
    loss: number,
    time: number,
    otherTime: number,
    size: z.number(),
    reason: z.string(),
  })),
});

/**
 * Checks a parsed `evaluation.json` or `comparison.json`.
 *
 * @returns The float model first.
 * @throws {PlimsollError} kind `input`, naming the first offending paths.
 */
export function parseEvaluation(value: unknown, name: string): EvaluatedModel[] {
  const wanted = "evaluation.json of quantize or comparison.json of compare";
  return parse(evaluationFile, value, { name, wanted }) as unknown as EvaluatedModel[];
}

/**
 * Checks a parsed `diagnosis.json`, as far as a report needs it.
 *
 * @throws {PlimsollError} kind `input`, naming the first offending paths.
 */
export function parseDiagnosis(value: unknown, name: string): Diagnosis {
  const wanted = "diagnosis.json of quantize --diagnose";
  return parse(diagnosisFile, value, { name, wanted }) as unknown as Diagnosis;
}

/**
 * Checks a parsed `plan.json`, as far as a report needs it.
 *
 * @throws {PlimsollError} kind `input`, naming the first offending paths.
 */
export function parsePlan(value: unknown, name: string): Plan {
  return parse(planFile, value, {
    name,
    wanted: "plan.json of quantize --plan",
  }) as unknown as Plan;
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  { name, wanted }: { readonly name: string; readonly wanted: string },
): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new PlimsollError("input", {
    action: `reading ${JSON.stringify(name)} for a report`,
    wanted,
    found: firstFaults(result.error),
    remedy: "Make it again, or leave it out of the report",
  });
}
