/**
 * Histograms added up: exact, whatever the order.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { HistogramData } from "../../wasm/mod.ts";
import { addCounts } from "./add_counts.ts";

/**
 * The histogram of the elements of all parts together.
 *
 * @param parts At least one.
 * @throws {PlimsollError} kind `data` where Σr² of a bin passes 2^64, which takes at least 2^34 elements in it.
 */
export function mergeHistograms(parts: readonly HistogramData[]): HistogramData {
  if (parts.length === 1) return parts[0];
  const sums = new Map<number, { n: number; r1: bigint; r2: bigint }>();
  for (const { bins, n, r1, r2 } of parts) {
    for (const [i, bin] of bins.entries()) {
      const sum = sums.get(bin);
      if (sum === undefined) sums.set(bin, { n: n[i], r1: r1[i], r2: r2[i] });
      else sums.set(bin, { n: sum.n + n[i], r1: sum.r1 + r1[i], r2: sum.r2 + r2[i] });
    }
  }
  const bins = Uint32Array.from(sums.keys()).sort();
  if (bins.some((bin) => sums.get(bin)!.r2 >= 1n << 64n)) throw tooMany();
  const total = (key: "finite" | "zeros" | "nan" | "positiveInfinity" | "negativeInfinity") =>
    addCounts(parts.map((part) => part[key]), "elements");
  addCounts(
    parts.flatMap((part) => [
      part.finite,
      part.nan,
      part.positiveInfinity,
      part.negativeInfinity,
    ]),
    "elements",
  );
  // Parts without elements have min and max NaN.
  const filled = parts.filter(({ finite }) => finite > 0);
  return {
    finite: total("finite"),
    zeros: total("zeros"),
    nan: total("nan"),
    positiveInfinity: total("positiveInfinity"),
    negativeInfinity: total("negativeInfinity"),
    min: filled.length === 0 ? NaN : Math.min(...filled.map(({ min }) => min)),
    max: filled.length === 0 ? NaN : Math.max(...filled.map(({ max }) => max)),
    bins,
    n: Float64Array.from(bins, (bin) => sums.get(bin)!.n),
    r1: BigUint64Array.from(bins, (bin) => sums.get(bin)!.r1),
    r2: BigUint64Array.from(bins, (bin) => sums.get(bin)!.r2),
  };
}

function tooMany(): PlimsollError {
  return new PlimsollError("data", {
    action: "adding up histograms",
    wanted: "sums of squares below 2^64 in each bin, which at least 2^34 elements have",
    found: "more",
    remedy: "Calibrate with fewer samples",
  });
}
