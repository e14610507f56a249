/**
 * What a manifest quantizes, in numbers. Pure.
 *
 * @module
 */
import type { Manifest } from "../../tpc/manifest.ts";

/** `12 activations and 18 weight tensors`, and what else is stored in fewer bytes. */
export function quantizedCounts(
  { activations, weights, recurrent = [], stored = [] }: Pick<
    Manifest,
    "activations" | "weights" | "recurrent" | "stored"
  >,
): string {
  const further = stored.filter(({ type }) => type !== "float32").length;
  const others = [
    ...(recurrent.length === 0 ? [] : [`${recurrent.length} recurrent layers`]),
    ...(further === 0 ? [] : [`${further} further constants`]),
  ];
  const first = `${activations.length} activations`;
  const second = `${weights.length} weight tensors`;
  const list = [first, second, ...others];
  return `${list.slice(0, -1).join(", ")} and ${list.at(-1)}`;
}
