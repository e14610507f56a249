/**
 * Text tables.
 *
 * @module
 */

/** Options of {@linkcode formatTable}. */
export interface TableOptions {
  /** Columns, from 0, that are aligned left; the others are right-aligned, as numbers should be. */
  readonly left?: readonly number[];
}

/**
 * Lays out rows of text in columns, the first row being the head.
 *
 * @example
 * ```ts
 * import { formatTable } from "./table.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(formatTable([["model", "top-1"], ["float", "92.9 %"]]), "model   top-1\nfloat  92.9 %\n");
 * ```
 */
export function formatTable(
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const { left = [0] } = options;
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, [...cell].length));
  }
  return rows.map((row) =>
    row.map((cell, i) => {
      const space = " ".repeat(widths[i] - [...cell].length);
      return left.includes(i) ? cell + space : space + cell;
    }).join("  ").trimEnd() + "\n"
  ).join("");
}
