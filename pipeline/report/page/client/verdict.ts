/**
 * The verdict: every output with its figures, and what was lost.
 *
 * @module
 */
/// <reference lib="dom" />
import type { OutputFigures } from "../../../evaluate/output_figures.ts";
import type { ReportData } from "../data.ts";
import { breakable, h } from "./dom.ts";
import { decibels, percent } from "./format.ts";

/** The section; nothing where nobody ran the model. */
export function verdictSection({ verdict }: Pick<ReportData, "verdict">): HTMLElement | null {
  if (verdict === null) return null;
  const { samples, data, outputs, lost, notes } = verdict;
  const head = ["output", "kind", "SQNR", "median sample", "worst slice", "cosine", "other class"];
  const rows = outputs.map((figures) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, breakable(figures.output)),
      ...cells(figures).map((text) => h("td", {}, text)),
    )
  );
  return h(
    "section",
    { "aria-labelledby": "verdict" },
    h(
      "h2",
      { id: "verdict" },
      lost.length === 0 ? "Verdict: it holds" : "Verdict: it lost what it is for",
    ),
    h(
      "p",
      { class: "note" },
      `Against the float model on ${samples} samples (${data}).`,
    ),
    ...notes.map((note) => h("p", { class: "note" }, `${note}.`)),
    ...lost.map(({ output, what }) => h("p", { class: "lost" }, `${output}: ${what}`)),
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...head.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, ...rows),
    ),
  );
}

function cells(
  { kind, sqnr, medianSqnr, worstSlice, cosine, flips, equal }: OutputFigures,
): string[] {
  if (equal !== null) return [kind, `${percent(equal, 1)} equal`, "–", "–", "–", "–"];
  return [
    kind,
    decibels(sqnr),
    decibels(medianSqnr),
    worstSlice === null ? "–" : decibels(worstSlice.sqnr),
    cosine.toFixed(4),
    flips === null ? "–" : percent(flips, 1),
  ];
}
