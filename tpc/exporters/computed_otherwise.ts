/**
 * What no format of another tool can say: layers that quantize their input as the model runs, and weights that are only
 * stored as codes.
 *
 * @module
 */
import type { Manifest } from "../manifest.ts";

/** The weights that meet codes of their activation's grid, with a note on the others. */
export function statically(
  { weights, recurrent = [], stored = [] }: Pick<Manifest, "weights" | "recurrent" | "stored">,
): { weights: Manifest["weights"]; notes: string[] } {
  const dynamic = weights.filter(({ compute }) => compute === "dynamic").length +
    recurrent.length;
  const kept = weights.filter(({ compute }) => compute === "float").length + stored.length;
  const left = (count: number, what: string) =>
    count === 0
      ? []
      : [`${count} ${what}, which the format can't say: left out, so that they are float there`];
  return {
    weights: weights.filter(({ compute }) => compute === undefined),
    notes: [
      ...left(dynamic, "layers quantize their input as the model runs"),
      ...left(kept, "constants are only stored as codes and compute in float"),
    ],
  };
}
