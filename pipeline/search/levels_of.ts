/**
 * From a manifest back to levels.
 *
 * @module
 */
import { type Levels, STORED_CODES } from "../../core/grid.ts";
import type { ManifestActivation } from "../../tpc/manifest.ts";

/** Levels of a manifest entry before fused functions narrowed them. */
export function levelsOf(
  { scale, bits, signed, constraint, zeroPoint, storage }: ManifestActivation,
): Levels {
  const [least] = STORED_CODES[storage];
  const low = constraint === "uniform" ? least - zeroPoint : signed ? -(2 ** (bits - 1)) : 0;
  return { step: scale, low: low + 0, high: low + 2 ** bits - 1 };
}
