/**
 * The accuracy table.
 *
 * @module
 */
/// <reference lib="dom" />
import type { Accuracy, AccuracyRow } from "../data.ts";
import { h } from "./dom.ts";
import { bytes, count, decibels, percent, points } from "./format.ts";

interface Column {
  readonly name: string;
  readonly cell: (row: AccuracyRow, isFloat: boolean) => string;
}

/** Float and quantized models on the same samples. */
export function accuracyTable({ samples, isLabelled, models }: Accuracy): HTMLElement {
  const isPaired = models.some(({ difference }) => difference !== undefined);
  const columns: Column[] = [
    ...(isLabelled
      ? [
        { name: "top-1", cell: ({ top1 }: AccuracyRow) => percent(top1, 2) },
        ...(isPaired ? [{ name: "vs float [95 %]", cell: interval }] : []),
        { name: "top-5", cell: ({ top5 }: AccuracyRow) => percent(top5, 2) },
        { name: "loss", cell: ({ loss }: AccuracyRow) => loss === null ? "–" : loss.toFixed(3) },
      ]
      : [{ name: "cosine", cell: unlessFloat(({ cosine }) => cosine.toFixed(5)) }]),
    { name: "agreement", cell: unlessFloat(({ agreement }) => percent(agreement, 2)) },
    { name: "output SQNR", cell: unlessFloat(({ sqnr }) => decibels(sqnr)) },
    ...(models.some(({ bytes }) => bytes !== undefined)
      ? [{
        name: "size",
        cell: (row: AccuracyRow) => row.bytes === undefined ? "–" : bytes(row.bytes),
      }]
      : []),
  ];
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, "model"),
    ...columns.map(({ name }) => h("th", { scope: "col" }, name)),
  );
  const rows = models.map((row, i) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, row.name),
      ...columns.map(({ cell }) => h("td", {}, cell(row, i === 0))),
    )
  );
  return h(
    "section",
    { "aria-labelledby": "accuracy" },
    h("h2", { id: "accuracy" }, "Accuracy"),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Accuracy table" },
      h("table", { class: "numbers" }, h("thead", {}, head), h("tbody", {}, ...rows)),
    ),
    h(
      "p",
      { class: "note" },
      `${
        count(samples)
      } samples, the same for all models; agreement is the part with the float model's class.` +
        (isPaired
          ? " In brackets Tango's score interval for paired differences, points of top-1."
          : ""),
    ),
  );
}

function unlessFloat(cell: (row: AccuracyRow) => string): Column["cell"] {
  return (row, isFloat) => isFloat ? "–" : cell(row);
}

function interval({ difference }: AccuracyRow): string {
  if (difference === undefined) return "–";
  const { value, low, high } = difference;
  return `${points(value)} [${points(low)}, ${points(high)}]`;
}
