/**
 * The distribution of one tensor as text, with marks. Pure.
 *
 * @module
 */
import type { HistogramData } from "../../wasm/mod.ts";
import { cellCounts } from "./cells.ts";
import { superscript } from "./superscript.ts";

/** What is marked in a histogram: a threshold, or the ends of a grid. */
export interface HistogramMark {
  /** Text beside the marks. */
  readonly label: string;
  /** Where they are, in units of the tensor. */
  readonly values: readonly number[];
}

/** Options of {@linkcode textHistogram}. */
export interface TextHistogramOptions {
  /** Columns that may be used. */
  readonly width: number;
  /** Rows of bars. */
  readonly height?: number;
  /** How counts become heights: their logarithm, by default, or themselves. */
  readonly scale?: "log" | "linear";
  readonly marks?: readonly HistogramMark[];
}

const EIGHTHS = " ▁▂▃▄▅▆▇█";
/** Columns left of the bars. */
const GUTTER = 7;
const MIN_CELLS = 16;
const MAX_CELLS = 160;

/**
 * Bars of counts over equal cells of values, and under them a line for each mark. Every cell that holds an element has
 * a bar, however low.
 *
 * @example
 * ```ts
 * import { createNaiveHistogramCore } from "../../wasm/mod.ts";
 * import { textHistogram } from "./text_histogram.ts";
 * import assert from "node:assert/strict";
 *
 * const accumulator = createNaiveHistogramCore().create();
 * accumulator.observe(Float32Array.of(0, 1, 1, 2));
 * const marks = [{ label: "mse 2", values: [2] }];
 * const lines = textHistogram(accumulator.data(), { width: 40, height: 2, marks }).split("\n");
 * assert.ok(lines.every((line) => line.length <= 40));
 * assert.match(lines.at(-2)!, /mse 2 ▲/);
 * ```
 */
export function textHistogram(data: HistogramData, options: TextHistogramOptions): string {
  if (data.finite === 0) return "no element\n";
  const { width, height = 10, scale = "log", marks = [] } = options;
  const cells = Math.min(MAX_CELLS, Math.max(MIN_CELLS, width - GUTTER));
  const values = marks.flatMap((mark) => mark.values);
  const [low, high] = span(Math.min(data.min, ...values), Math.max(data.max, ...values));
  const column = (value: number) =>
    Math.min(cells - 1, Math.max(0, Math.floor((value - low) / (high - low) * cells)));
  const counts = cellCounts(data, { low, high, size: cells });
  const most = Math.max(...counts);
  const part = (count: number) =>
    scale === "linear" ? count / most : Math.log10(count + 1) / Math.log10(most + 1);
  const heights = counts.map((count) =>
    count <= 0 ? 0 : Math.max(1, Math.round(8 * height * part(count)))
  );
  const marked = new Set(values.map(column));
  const labels = countLabels(most, height, scale);
  const lines = Array.from({ length: height }, (_, fromTop) => {
    const row = height - 1 - fromTop;
    const bars = heights.map((eighths, i) => {
      const bar = EIGHTHS[Math.min(8, Math.max(0, eighths - 8 * row))];
      return bar === " " && marked.has(i) ? "┊" : bar;
    }).join("");
    const label = labels.get(row) ?? "";
    return `${label.padStart(GUTTER - 2)} ${label === "" ? "│" : "┤"}${bars}`.trimEnd();
  });
  const floor = Array.from({ length: cells }, (_, i) => marked.has(i) ? "┴" : "─").join("");
  lines.push(`${" ".repeat(GUTTER - 1)}└${floor}`, ticks(low, high, cells, column));
  for (const { label, values } of marks) lines.push(markLine(label, values.map(column), cells));
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

/** From the least to the greatest value, with room for a mark at the end; zero stays at the edge where it is one. */
function span(least: number, greatest: number): [number, number] {
  const [from, to] = [Math.min(0, least), Math.max(0, greatest)];
  const room = (to - from || 1) / 50;
  return [from === 0 ? 0 : from - room, to === 0 && from < 0 ? 0 : to + room];
}

/** What stands beside the rows: decades, or the greatest count. */
function countLabels(most: number, height: number, scale: "log" | "linear"): Map<number, string> {
  const labels = new Map<number, string>();
  if (scale === "linear") return labels.set(height - 1, most.toPrecision(2).replace("e+", "e"));
  const decades = Math.log10(most + 1);
  for (let power = 0; power <= decades; power++) {
    const row = Math.min(height - 1, Math.floor(height * power / decades));
    if (!labels.has(row)) labels.set(row, power === 0 ? "1" : `10${superscript(power)}`);
  }
  return labels;
}

/** Values at both ends, and zero where it lies between them. */
function ticks(low: number, high: number, cells: number, column: (x: number) => number): string {
  const line = Array<string>(cells).fill(" ");
  const write = (text: string, at: number) =>
    [...text].forEach((letter, i) => line[Math.max(0, at) + i] = letter);
  const [first, last] = [format(low), format(high)];
  write(first, 0);
  write(last, cells - last.length);
  const zero = column(0);
  const isFree = zero > first.length + 1 && zero < cells - last.length - 2;
  if (isFree) write("0", zero);
  return " ".repeat(GUTTER) + line.join("");
}

/** Marks with their label: behind the last of them where it fits, else before, else between. */
function markLine(label: string, columns: readonly number[], cells: number): string {
  const [first, last] = [Math.min(...columns), Math.max(...columns)];
  const line = Array<string>(cells).fill(" ");
  for (const column of columns) line[column] = "▲";
  const size = [...label].length;
  const behind = last + 2 + size <= cells;
  const before = first - 1 - size >= 0;
  const between = last - first > size + 2;
  const at = behind ? last + 2 : before ? first - 1 - size : between ? last - 1 - size : undefined;
  // Where nothing has room, the label takes a line of its own.
  if (at === undefined) {
    return `${" ".repeat(GUTTER)}${line.join("").trimEnd()}\n${" ".repeat(GUTTER)}${label}`;
  }
  [...label].forEach((letter, i) => line[at + i] = letter);
  return " ".repeat(GUTTER) + line.join("");
}

function format(value: number): string {
  return String(Number(value.toPrecision(3)));
}
