/**
 * Which variants one pass over the samples can serve.
 *
 * What is exposed of a model decides the last bits of its activations, so statistics serve exactly those variants that
 * watch the same tensors of the same graph: then each gets what a calibration for it alone would give.
 *
 * @module
 */
import { compactJson } from "../../core/canonical_json.ts";
import type { GraphOutline } from "../../onnx/graph/outline.ts";
import { resolve } from "../../tpc/placement/resolve.ts";
import { watchedFor } from "../search/placement.ts";
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import type { Target } from "../../tpc/targets/target.ts";

/** What a key is made from. */
export interface Calibrated {
  /** Outline of the prepared model, with its rewrites. */
  readonly outline: GraphOutline;
  readonly rewrites: Rewrites;
  readonly target: Target;
}

/** Equal for variants that the same statistics serve. */
export function calibrationKey({ outline, rewrites, target }: Calibrated): string {
  return compactJson({ rewrites, ...watchedFor(outline, target) });
}

/** Equal for variants whose rewrites are learned from the same pass: `outline` and `rewrites` before it. */
export function learningKey({ outline, rewrites, target }: Calibrated): string {
  const { equalization = false, shiftNegative = false } = target.rewrites ?? {};
  // Only activations with power-of-two thresholds are shifted.
  const constraints = shiftNegative
    ? resolve(outline, target).activations.map(({ spec }) => spec.constraint === "pot")
    : [];
  return compactJson({
    ...{ equalization, shiftNegative, constraints },
    key: calibrationKey({ outline, rewrites, target }),
  });
}
