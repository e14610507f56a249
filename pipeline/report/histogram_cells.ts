/**
 * Exact histograms in equal cells, as pictures draw them.
 *
 * @module
 */
import { binLowerEdge, binUpperEdge, type HistogramData } from "../../wasm/mod.ts";

/**
 * Elements in each of so many equal cells from `low` to `high`; a bin that a border cuts is shared out by width. What
 * lies outside counts for the first and last cell as far as its bin reaches in.
 */
export function cellCounts(
  { bins, n }: HistogramData,
  low: number,
  high: number,
  cells: number,
): number[] {
  const counts: number[] = Array(cells).fill(0);
  const width = (high - low) / cells;
  bins.forEach((bin, i) => {
    const [from, to] = [binLowerEdge(bin), binUpperEdge(bin)].sort((a, b) => a - b);
    const first = Math.max(0, Math.floor((from - low) / width));
    const last = Math.min(cells - 1, Math.floor((to - low) / width));
    for (let c = first; c <= last; c++) {
      const overlap = Math.min(to, low + (c + 1) * width) - Math.max(from, low + c * width);
      counts[c] += n[i] * (last === first ? 1 : Math.max(0, overlap) / (to - from));
    }
  });
  return counts;
}

/** Digits of an exponent. */
export function superscript(power: number): string {
  return [...String(power)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("");
}
