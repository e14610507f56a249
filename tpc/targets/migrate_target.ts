/**
 * Older versions of the TPC format, lifted to the present one step by step.
 *
 * @module
 */
import * as z from "zod";
import { PlimsollError } from "../../core/errors.ts";
import type { Target } from "./target.ts";

const operators = z.array(z.string().min(1)).min(1);

/** Operators whose range version 1 could fix. */
const RANGED_OPERATORS = ["Softmax", "Sigmoid", "HardSigmoid", "Tanh", "Clip"] as const;

/** Version 1, as far as version 2 changed it; what stayed is checked there. */
const version1 = z.strictObject({
  schemaVersion: z.literal(1),
  name: z.string(),
  description: z.string(),
  activation: z.looseObject({ fixedRanges: z.array(z.enum(RANGED_OPERATORS)).optional() }),
  weight: z.looseObject({}),
  operators: z.strictObject({ quantized: operators, preserving: operators }),
  fusing: z.array(z.array(operators).min(2)),
  storage: z.looseObject({}),
});

/**
 * Lifts a parsed TPC file to version 2; anything else is returned as it is, for the check that follows.
 *
 * Version 1 had two lists of operators and one list of those with fixed ranges; version 2 has operator sets.
 */
export function migrateTarget(value: unknown, name: string): unknown {
  const isVersion1 = typeof value === "object" && value !== null &&
    (value as { schemaVersion?: unknown }).schemaVersion === 1;
  if (!isVersion1) return value;
  const result = version1.safeParse(value);
  if (!result.success) {
    throw new PlimsollError("target", {
      action: `reading target ${JSON.stringify(name)}`,
      wanted: "target platform capabilities of version 1",
      found: result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`)
        .join("; "),
      remedy: "Correct the file, or write it anew as version 2 (docs/targets.md)",
    });
  }
  const { operators: lists, fusing, activation: { fixedRanges = [], ...activation }, ...rest } =
    result.data;
  const isFixed = (op: string) => fixedRanges.some((fixed) => fixed === op);
  const set = (name: string, use: string, operators: readonly string[], fixed: boolean) =>
    operators.length === 0
      ? []
      : [{ name, operators, use, ...(fixed ? { output: { fixedRange: true } } : {}) }];
  const { quantized, preserving } = lists;
  return {
    ...rest,
    activation,
    schemaVersion: 2 satisfies Target["schemaVersion"],
    operatorSets: [
      ...set("quantized, fixed range", "quantized", quantized.filter(isFixed), true),
      ...set("quantized", "quantized", quantized.filter((op) => !isFixed(op)), false),
      ...set("preserving", "preserving", preserving, false),
      ...set(
        "float, fixed range",
        "float",
        fixedRanges.filter((op) => !quantized.includes(op)),
        true,
      ),
    ],
    fusing: fusing.map((pattern, i) => ({ name: `pattern ${i + 1}`, pattern })),
  };
}
