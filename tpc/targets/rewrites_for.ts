/**
 * Which rewrites a target asks for.
 *
 * @module
 */
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import type { Target } from "./target.ts";

/** Rewrites that a target wants and that need no data. */
export function rewritesFor({ rewrites, activation }: Target): Rewrites {
  const movesBounds = rewrites?.reluBounds ?? activation.constraint === "pot";
  return {
    ...(rewrites?.flatClamps ? { flatClamps: true } : {}),
    ...(movesBounds ? { reluBounds: true } : {}),
  };
}
