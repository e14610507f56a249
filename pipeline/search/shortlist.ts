/**
 * The candidates that a search nearly chose.
 *
 * @module
 */
import { gridStep, type Levels } from "../../core/grid.ts";
import type { HistogramData } from "../../wasm/mod.ts";
import type { SettledSpec } from "../../core/types.ts";
import { methodOf } from "./methods/methods.ts";
import { searchThreshold } from "./search_threshold.ts";

/** Length of a shortlist: some 150 ns per element of a second pass. */
const LENGTH = 160;
/** Steps closer than this, relatively, are one candidate: golden sections end in dozens of them. */
const SAME_STEP = 1e-4;
/**
 * Steps around the best one that are added: to 4 percent, since the estimate may be off to either side,
 * and closely to 1 percent, where the true curve is a little ragged.
 */
const NEIGHBOURS = [
  ...Array.from({ length: 40 }, (_, i) => 1 + (i - 19.5) * 0.002),
  ...Array.from({ length: 64 }, (_, i) => 1 + (i - 31.5) * 0.0003),
];

/** p of the error that a quantizer is judged by when it is MSE (2) or MAE (1); undefined for others. */
export function powerOf(spec: SettledSpec): 1 | 2 | undefined {
  const method = methodOf(spec);
  if (method.kind === "range") return 2;
  return method.power === 1 || method.power === 2 ? method.power : undefined;
}

/**
 * The best grids that the search tried, by its own estimate, best first. Empty when nothing is left to decide:
 * methods that set the range, errors that the second pass doesn't sum, exact power-of-two errors.
 */
export function shortlist(data: HistogramData, spec: SettledSpec): Levels[] {
  const isJudged = methodOf(spec).kind === "judge" && powerOf(spec) !== undefined;
  if (!isJudged || spec.constraint === "pot" || spec.fixedRange !== undefined) return [];
  const tried = new Map<string, { levels: Levels; error: number }>();
  searchThreshold(data, spec, {
    onTrial: (levels, error) => void tried.set(`${levels.step} ${levels.low}`, { levels, error }),
  });
  const ranked = [...tried.values()].sort((a, b) => a.error - b.error);
  const list: Levels[] = [];
  for (const { levels } of ranked) {
    if (list.length === LENGTH - NEIGHBOURS.length) break;
    const isNew = list.every(({ step, low }) =>
      low !== levels.low || Math.abs(step / levels.step - 1) > SAME_STEP
    );
    if (isNew) list.push(levels);
  }
  // Of a tensor of zeros alone nothing is tried.
  const best = list.at(0);
  if (best === undefined) return [];
  return [
    ...list,
    ...NEIGHBOURS.map((factor) => ({ ...best, step: gridStep(best.step * factor) })),
  ];
}
