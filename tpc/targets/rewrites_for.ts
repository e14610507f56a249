/**
 * Which rewrites a target asks for.
 *
 * @module
 */
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import type { Target } from "./target.ts";

/** Rewrites that a target wants and that need no data. */
export function rewritesFor({ rewrites, activation, layers }: Target): Rewrites {
  // Both serve grids of activations, which weights alone and activations that are quantized at run time don't have.
  const hasGrids = layers?.weightOnly === undefined && layers?.activations !== "dynamic";
  const movesBounds = rewrites?.reluBounds ?? (hasGrids && activation.constraint === "pot");
  return {
    ...(hasGrids && rewrites?.flatClamps ? { flatClamps: true } : {}),
    ...(movesBounds ? { reluBounds: true } : {}),
  };
}
