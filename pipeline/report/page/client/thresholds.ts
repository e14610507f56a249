/**
 * Thresholds to draw: methods whose thresholds are printed alike share one line.
 *
 * @module
 */
import type { MethodResult, ReportActivation } from "../data.ts";
import { real } from "./format.ts";

/** One line (two of a signed tensor) with all methods that choose it. */
export interface ThresholdLine {
  readonly methods: readonly MethodResult[];
  readonly isChosen: boolean;
  /** Where it is drawn, in units of the tensor; the last one carries the label. */
  readonly at: readonly number[];
  readonly label: string;
  /** A CSS colour. */
  readonly color: string;
}

/** Colour of a method, from the style sheet; that of text for one without. */
export function colorOf(method: string): string {
  return `var(--${method}, var(--text))`;
}

/** Lines of all methods that aren't hidden, ascending. */
export function thresholdLines(
  { signed, constraint }: ReportActivation,
  methods: readonly MethodResult[],
): ThresholdLine[] {
  const groups = new Map<string, { at: readonly number[]; results: MethodResult[] }>();
  for (const result of methods) {
    const at = constraint === "uniform"
      ? result.range.filter((value) => value !== 0)
      : signed
      ? [-result.threshold, result.threshold]
      : [result.threshold];
    const key = at.map(real).join(" ");
    const group = groups.get(key) ?? { at, results: [] };
    group.results.push(result);
    groups.set(key, group);
  }
  const lines = [...groups.values()].map(({ at, results: group }): ThresholdLine => {
    const chosen = group.find(({ isChosen }) => isChosen);
    const names = group.map(({ method }) => method).join(" · ");
    const value = constraint === "uniform" ? at.map(real).join(" … ") : real(group[0].threshold);
    return {
      methods: group,
      at,
      label: `${names} ${value}`,
      isChosen: chosen !== undefined,
      color: colorOf((chosen ?? group[0]).method),
    };
  });
  return lines.sort((a, b) => a.at.at(-1)! - b.at.at(-1)!);
}
