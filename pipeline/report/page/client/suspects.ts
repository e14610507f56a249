/**
 * The quantizers that lose most.
 *
 * @module
 */
/// <reference lib="dom" />
import type { ReportData, Suspect } from "../data.ts";
import { h } from "./dom.ts";
import { decibels } from "./format.ts";
import { hashOf, type Selection } from "./selection.ts";

/** A ranked list; each entry opens its quantizer. */
export function suspectList(
  data: ReportData,
  onSelect: (selection: Selection) => void,
): HTMLElement {
  const entry = (suspect: Suspect) => {
    const { kind, index, sqnr, why } = suspect;
    const { tensor } = kind === "activation" ? data.activations[index] : data.weights[index];
    const open = (event: Event) => {
      event.preventDefault();
      onSelect(suspect);
    };
    return h(
      "li",
      {},
      h("a", { href: hashOf(suspect), click: open }, tensor),
      h("span", { class: "badge" }, decibels(sqnr)),
      h("span", { class: "note" }, `${kind === "weight" ? "weight, " : ""}${why.join("; ")}`),
    );
  };
  return h(
    "section",
    { "aria-labelledby": "suspects" },
    h("h2", { id: "suspects" }, "Suspects"),
    data.suspects.length === 0
      ? h("p", { class: "note" }, "No quantizer loses anything that can be measured.")
      : h("ol", { class: "suspects" }, ...data.suspects.map(entry)),
  );
}
