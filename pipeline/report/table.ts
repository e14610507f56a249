/**
 * Text tables.
 *
 * @module
 */

import { visibleLine } from "../../core/visible.ts";

/** Options of {@linkcode formatTable}. */
export interface TableOptions {
  /** Columns, from 0, that are aligned left; the others are right-aligned, as numbers should be. */
  readonly left?: readonly number[];
  /** Columns of the terminal: the widest left-aligned cells lose their beginning to an ellipsis until rows fit. */
  readonly width?: number;
}

/** Left-aligned columns don't get narrower than this. */
const MIN_COLUMN = 12;

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
  const { left = [0], width } = options;
  rows = rows.map((row) => row.map(visibleLine));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, [...cell].length));
  }
  if (width !== undefined) shrink(widths, left, width);
  return rows.map((row) =>
    row.map((text, i) => {
      const cell = shorten(text, widths[i]);
      const space = " ".repeat(widths[i] - [...cell].length);
      return left.includes(i) ? cell + space : space + cell;
    }).join("  ").trimEnd() + "\n"
  ).join("");
}

/** Makes the widest of some columns narrower until all fit, or none is wide any more. */
function shrink(widths: number[], columns: readonly number[], width: number): void {
  for (;;) {
    const over = widths.reduce((sum, size) => sum + size + 2, -2) - width;
    const widest = columns.reduce((a, b) => (widths[b] ?? 0) > (widths[a] ?? 0) ? b : a);
    if (over <= 0 || widths[widest] <= MIN_COLUMN) return;
    widths[widest]--;
  }
}

/** The end of a text behind an ellipsis: names of layers differ there. */
function shorten(text: string, width: number): string {
  const letters = [...text];
  return letters.length <= width ? text : `…${letters.slice(letters.length - width + 1).join("")}`;
}

/**
 * Names and values below a title, as a table would have them if it had one row.
 *
 * @example
 * ```ts
 * import { formatFields } from "./table.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(formatFields("Conv c1", [["bits", "8"], ["scale", "0.5"]]), "Conv c1\n  bits   8\n  scale  0.5\n");
 * ```
 */
export function formatFields(
  title: string,
  fields: readonly (readonly [string, string])[],
): string {
  const rows = formatTable(fields, { left: [0, 1] }).replace(/^(?=.)/gm, "  ");
  return `${visibleLine(title)}\n${rows}`;
}
