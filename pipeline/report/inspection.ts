/**
 * Statistics as text. Pure functions.
 *
 * @module
 */
import { divideDyadic } from "../statistics/dyadic.ts";
import { viewOf } from "../statistics/tensor_view.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { formatTable } from "./table.ts";

/** Range and moments of every watched tensor. */
export function statisticsReport(
  { tensors, data }: Pick<Statistics, "tensors" | "data">,
  { width }: { readonly width?: number } = {},
): { text: string; summary: unknown } {
  const summary = tensors.map(({ tensor, shape, histogram }) => {
    const exact = viewOf(histogram).exact;
    const count = BigInt(histogram.finite);
    const isEmpty = histogram.finite === 0;
    const mean = isEmpty ? null : divideDyadic(exact.sum, count);
    const meanSquare = isEmpty ? null : divideDyadic(exact.squares, count);
    const { finite: elements, zeros, min, max, bins } = histogram;
    return {
      tensor,
      shape,
      elements,
      zeros,
      mean,
      meanSquare,
      min: isEmpty ? null : min,
      max: isEmpty ? null : max,
      bins: bins.length,
    };
  });
  const short = (value: number | null) => value === null ? "–" : value.toPrecision(5);
  const rows = summary.map(({ tensor, elements, min, max, mean, meanSquare, zeros, bins }) => [
    tensor,
    String(elements),
    ...[min, max, mean, meanSquare === null ? null : Math.sqrt(meanSquare)].map(short),
    elements === 0 ? "–" : `${(100 * zeros / elements).toFixed(1)} %`,
    String(bins),
  ]);
  const head = ["tensor", "elements", "min", "max", "mean", "rms", "zeros", "bins"];
  return {
    text: formatTable([head, ...rows], { width }) + `${data.samples} samples\n`,
    summary: { data, tensors: summary },
  };
}
