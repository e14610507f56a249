/**
 * What comparing the models layer by layer found, and what would help.
 *
 * @module
 */
/// <reference lib="dom" />
import type { ReportData } from "../data.ts";
import { breakable, h } from "./dom.ts";
import { count, decibels, percent } from "./format.ts";
import type { Selection } from "./selection.ts";

/** Remedies that are shown, and what they gain at least, in dB. */
const [MAX_REMEDIES, WORTHWHILE] = [10, 0.05];

/** Remedies that were tried, greatest gain first; null where no diagnosis was made. */
export function diagnosisSection(
  { diagnosis, activations }: ReportData,
  onSelect: (selection: Selection) => void,
): HTMLElement | null {
  if (diagnosis === null) return null;
  const { samples, data, output, remedies } = diagnosis;
  const isLabelled = remedies.some(({ top1 }) => top1 !== null);
  const head = [
    "tensor",
    "change",
    "gain",
    "output SQNR",
    "same class",
    ...(isLabelled ? ["top-1"] : []),
    "--override",
  ];
  const helpful = remedies.filter(({ gain }) => gain !== null && gain >= WORTHWHILE);
  const shown = helpful.slice(0, MAX_REMEDIES);
  const rows = shown.map(({ tensor, change, gain, sqnr, agreement, top1, override }) => {
    const index = activations.findIndex((activation) => activation.tensor === tensor);
    const name = index < 0 ? breakable(tensor) : h("button", {
      type: "button",
      class: "link",
      click: () => onSelect({ kind: "activation", index }),
    }, breakable(tensor));
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", {}, change),
      h("td", {}, gain === null ? "–" : `${gain < 0 ? "−" : "+"}${Math.abs(gain).toFixed(2)} dB`),
      h("td", {}, decibels(sqnr)),
      h("td", {}, percent(agreement, 2)),
      isLabelled && h("td", {}, percent(top1, 2)),
      h("td", {}, h("code", {}, override)),
    );
  });
  return h(
    "section",
    { "aria-labelledby": "diagnosis" },
    h("h2", { id: "diagnosis" }, "Layer by layer"),
    h(
      "p",
      { class: "note" },
      `Float against quantized on ${count(samples)} ${data} samples: the output has ${
        decibels(output)
      }. ` +
        "The dotted line in the chart is the SQNR of each activation in the whole quantized model.",
    ),
    remedies.length === 0 ? null : h(
      "p",
      { class: "note" },
      `${remedies.length} changes were tried, each alone: ${helpful.length} gain ${WORTHWHILE} dB or more.`,
    ),
    rows.length === 0 ? null : h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Remedies" },
      h(
        "table",
        { class: "numbers remedies" },
        h("thead", {}, h("tr", {}, ...head.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, ...rows),
      ),
    ),
  );
}
