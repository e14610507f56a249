/**
 * Which layers and tensors are looked at, by name and operator.
 *
 * @module
 */
import { matchesPattern } from "../../tpc/placement/overrides.ts";

/** Patterns as `--override` has them; where there are none, everything fits. */
export interface Selection {
  /** For names of tensors and nodes: one of them must fit. */
  readonly names: readonly string[];
  /** For operators: one of them must fit. */
  readonly operators: readonly string[];
}

/** What a selection looks at. */
export interface Selectable {
  /** Names that it goes by, of which one must fit. */
  readonly names: readonly string[];
  /** Operators that it stands for: that of the node, and of those that are fused into it. */
  readonly operators: readonly string[];
}

/** Whether anything is asked for by name or operator. */
export function isSelective({ names, operators }: Selection): boolean {
  return names.length + operators.length > 0;
}

/**
 * Whether a layer or tensor is looked at.
 *
 * @example
 * ```ts
 * import { isSelected } from "./selection.ts";
 * import assert from "node:assert/strict";
 *
 * const layer = { names: ["head/conv", "head/conv_out"], operators: ["Conv", "Clip"] };
 * assert.ok(isSelected({ names: ["head/*"], operators: ["Clip"] }, layer));
 * assert.ok(!isSelected({ names: ["head"], operators: [] }, layer));
 * ```
 */
export function isSelected({ names, operators }: Selection, subject: Selectable): boolean {
  const fits = (patterns: readonly string[], list: readonly string[]) =>
    patterns.length === 0 ||
    patterns.some((pattern) => list.some((name) => matchesPattern(pattern, name)));
  return fits(names, subject.names) && fits(operators, subject.operators);
}
