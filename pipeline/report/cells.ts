/**
 * A histogram in equal cells, for drawing.
 *
 * @module
 */
import { binLowerEdge, binUpperEdge, type HistogramData } from "../../wasm/mod.ts";

/** Where the cells lie, in units of the tensor. */
export interface CellRange {
  /** Lower border of the first cell. */
  readonly low: number;
  /** Upper border of the last cell, above `low`. */
  readonly high: number;
  /** Number of cells. */
  readonly size: number;
}

/**
 * Elements in each of equal cells. A bin that a border cuts is shared out by width, so counts may have fractions;
 * what lies outside is left out.
 *
 * @example Four elements in two cells
 * ```ts
 * import { createNaiveHistogramCore } from "../../wasm/mod.ts";
 * import { cellCounts } from "./cells.ts";
 * import assert from "node:assert/strict";
 *
 * const accumulator = createNaiveHistogramCore().create();
 * accumulator.observe(Float32Array.of(0.25, 1.25, 1.5, 1.75));
 * assert.deepEqual(cellCounts(accumulator.data(), { low: 0, high: 2, size: 2 }), [1, 3]);
 * ```
 */
export function cellCounts({ bins, n }: HistogramData, { low, high, size }: CellRange): number[] {
  const counts: number[] = Array(size).fill(0);
  const width = (high - low) / size;
  bins.forEach((bin, i) => {
    const [from, to] = [binLowerEdge(bin), binUpperEdge(bin)].sort((a, b) => a - b);
    if (to < low || from > high) return;
    const first = Math.max(0, Math.floor((from - low) / width));
    const last = Math.min(size - 1, Math.floor((to - low) / width));
    for (let c = first; c <= last; c++) {
      const overlap = Math.min(to, low + (c + 1) * width) - Math.max(from, low + c * width);
      counts[c] += n[i] * (last === first ? 1 : Math.max(0, overlap) / (to - from));
    }
  });
  return counts;
}
