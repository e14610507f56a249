/**
 * What the page shows in detail; its address ends in it, so that Back works and links can be sent.
 *
 * @module
 */
import type { ReportData } from "../data.ts";

/** An activation or a weight, by its number in its list. */
export interface Selection {
  readonly kind: "activation" | "weight";
  readonly index: number;
}

/** The end of an address: a1 is the first activation, w1 the first weight. */
export function hashOf({ kind, index }: Selection): string {
  return `#${kind[0]}${index + 1}`;
}

/** What an address selects, if there is such a thing. */
export function selectionOf(hash: string, data: ReportData): Selection | undefined {
  const match = /^#([aw])(\d+)$/.exec(hash);
  if (match === null) return undefined;
  const kind = match[1] === "a" ? "activation" : "weight";
  const index = Number(match[2]) - 1;
  const size = kind === "activation" ? data.activations.length : data.weights.length;
  return index >= 0 && index < size ? { kind, index } : undefined;
}
