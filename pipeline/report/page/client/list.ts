/**
 * The list of quantizers: sortable by every column, searchable, with a small chart a row.
 *
 * @module
 */
/// <reference lib="dom" />
import type { ReportActivation, ReportData, ReportWeight } from "../data.ts";
import { breakable, h } from "./dom.ts";
import { decibels, percent, real } from "./format.ts";
import { hashOf, type Selection } from "./selection.ts";
import { sparkline } from "./sparkline.ts";
import { thresholdLines } from "./thresholds.ts";

/** A column: what it sorts by and what it shows. */
interface Column<Row> {
  readonly name: string;
  readonly by?: (row: Row, index: number) => number | string;
  readonly cell: (row: Row, index: number) => Node | string;
}

const ACTIVATION_COLUMNS: readonly Column<ReportActivation>[] = [
  { name: "#", by: (_, index) => index, cell: (_, index) => String(index + 1) },
  { name: "distribution", cell: activationSparkline },
  { name: "activation", by: ({ tensor }) => tensor, cell: ({ tensor }) => breakable(tensor) },
  { name: "operator", by: ({ op }) => op, cell: ({ op }) => op },
  {
    name: "bits",
    by: ({ bits }) => bits,
    cell: ({ bits, signed }) => `${bits} ${signed ? "±" : "+"}`,
  },
  { name: "threshold", by: ({ threshold }) => threshold, cell: ({ threshold }) => real(threshold) },
  {
    name: "SQNR",
    by: ({ seen }) => seen?.sqnr ?? Infinity,
    cell: ({ seen, sameAs }) =>
      seen === undefined ? sameAs === undefined ? "–" : `as ${sameAs + 1}` : decibels(seen.sqnr),
  },
  {
    name: "clipped",
    by: ({ seen }) => seen?.clippedFraction ?? -1,
    cell: ({ seen }) => seen === undefined ? "–" : percent(seen.clippedFraction),
  },
];

const WEIGHT_COLUMNS: readonly Column<ReportWeight>[] = [
  { name: "#", by: (_, index) => index, cell: (_, index) => String(index + 1) },
  { name: "ranges", cell: ({ ranges }) => ranges.length === 0 ? "" : sparkline(ranges) },
  { name: "weight", by: ({ tensor }) => tensor, cell: ({ tensor }) => breakable(tensor) },
  { name: "operator", by: ({ op }) => op, cell: ({ op }) => op },
  { name: "bits", by: ({ bits }) => bits, cell: ({ bits }) => String(bits) },
  {
    name: "widest ÷ narrowest",
    by: unevenness,
    cell: (weight) => weight.ranges.length < 2 ? "–" : real(unevenness(weight)),
  },
  {
    name: "SQNR",
    by: ({ sqnr, ranges }) => sqnr ?? (ranges.length === 0 ? -1 : Infinity),
    cell: ({ sqnr, ranges }) => ranges.length === 0 ? "–" : decibels(sqnr),
  },
];

/** Widest range of a channel by the narrowest one. */
export function unevenness({ ranges }: ReportWeight): number {
  return ranges.length === 0 ? 1 : Math.max(...ranges) / Math.min(...ranges);
}

function activationSparkline(activation: ReportActivation): Node | string {
  const { seen, bits, range, signed } = activation;
  if (seen === undefined || bits === 0) return "";
  const { low, high, counts } = seen.cells;
  const chosen = thresholdLines(activation, seen.methods).filter(({ isChosen }) => isChosen);
  const at = chosen.flatMap(({ at }) => at).concat(signed ? range[0] : []);
  const [left, right] = [Math.min(low, ...at), Math.max(high, ...at)];
  const cell = (high - low) / counts.length;
  const pad = (width: number): number[] => Array(Math.round(width / cell)).fill(0);
  // Where a threshold lies far outside, the data would vanish in their corner: they keep an eighth.
  const padding = Math.min(7 * counts.length, pad(right - high).length);
  return sparkline(
    [
      ...pad(low - left).slice(0, 7 * counts.length),
      ...counts.map((n) => Math.log10(1 + n)),
      ...Array(padding).fill(0),
    ],
    chosen.flatMap(({ at, color }) =>
      at.map((value) => ({ at: (value - left) / (right - left), color }))
    ),
  );
}

/** What the list is told. */
export interface ListOptions {
  readonly data: ReportData;
  readonly onSelect: (selection: Selection) => void;
}

/** The list; it keeps its own tab, order and search. */
export class QuantizerList {
  readonly element: HTMLElement;
  readonly #options: ListOptions;
  readonly #body = h("div", { class: "scroll list" });
  readonly #status = h("p", { class: "note", "aria-live": "polite" });
  readonly #search = h("input", {
    type: "search",
    id: "search",
    placeholder: "name or operator",
    "aria-label": "Search the list",
    input: () => this.#fill(),
  }) as HTMLInputElement;
  #tab: "activation" | "weight" | "float" = "activation";
  #sort = { column: 0, descending: false };
  #selection: Selection | undefined;

  constructor(options: ListOptions) {
    this.#options = options;
    const { activations, weights, float } = options.data;
    const tab = (kind: "activation" | "weight" | "float", label: string) =>
      h("button", { type: "button", "data-tab": kind, click: () => this.#show(kind) }, label);
    this.element = h(
      "section",
      { "aria-labelledby": "layers" },
      h("h2", { id: "layers" }, "Layers"),
      h(
        "div",
        { class: "bar" },
        h(
          "div",
          { class: "tabs", role: "group", "aria-label": "What is listed" },
          tab("activation", `activations ${activations.length}`),
          tab("weight", `weights ${weights.length}`),
          tab("float", `float ${float.length}`),
        ),
        this.#search,
      ),
      this.#body,
      this.#status,
    );
    this.#body.addEventListener("keydown", (event) => this.#move(event as KeyboardEvent));
    this.#show("activation");
  }

  /** Marks a row as the one in detail, in the list that it is in. */
  select(selection: Selection): void {
    this.#selection = selection;
    if (selection.kind !== this.#tab) this.#show(selection.kind);
    else this.#mark();
    const row = this.#body.querySelector<HTMLElement>("tr[aria-current]");
    // Within the list only: the page itself stays where it is.
    if (row !== null) {
      const [top, bottom] = [row.offsetTop - 40, row.offsetTop + row.offsetHeight];
      if (top < this.#body.scrollTop) this.#body.scrollTop = top;
      else if (bottom > this.#body.scrollTop + this.#body.clientHeight) {
        this.#body.scrollTop = bottom - this.#body.clientHeight;
      }
    }
  }

  #show(tab: "activation" | "weight" | "float"): void {
    this.#tab = tab;
    this.#sort = { column: 0, descending: false };
    for (const button of this.element.querySelectorAll("[data-tab]")) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-tab") === tab));
    }
    this.#fill();
  }

  #fill(): void {
    const { activations, weights, float } = this.#options.data;
    switch (this.#tab) {
      case "activation":
        return this.#table(
          activations,
          ACTIVATION_COLUMNS,
          ({ tensor, op, node, method }) => `${tensor} ${op} ${node} ${method}`,
        );
      case "weight":
        return this.#table(
          weights,
          WEIGHT_COLUMNS,
          ({ tensor, op, node }) => `${tensor} ${op} ${node}`,
        );
      case "float":
        return this.#table(float, [
          { name: "#", by: (_, index) => index, cell: (_, index) => String(index + 1) },
          { name: "node", by: ({ node }) => node, cell: ({ node }) => breakable(node) },
          { name: "operator", by: ({ op }) => op, cell: ({ op }) => op },
          { name: "why it stays float", by: ({ reason }) => reason, cell: ({ reason }) => reason },
        ], ({ node, op, reason }) => `${node} ${op} ${reason}`);
      default:
        return this.#tab satisfies never;
    }
  }

  #table<Row>(
    rows: readonly Row[],
    columns: readonly Column<Row>[],
    words: (row: Row) => string,
  ): void {
    const wanted = this.#search.value.trim().toLowerCase().split(/\s+/);
    const shown = rows.map((row, index) => ({ row, index }))
      .filter(({ row }) => wanted.every((word) => words(row).toLowerCase().includes(word)));
    const { by } = columns[this.#sort.column];
    const sign = this.#sort.descending ? -1 : 1;
    if (by !== undefined) {
      const key = ({ row, index }: (typeof shown)[number]) => by(row, index);
      shown.sort((a, b) => sign * compare(key(a), key(b)) || a.index - b.index);
    }
    const head = columns.map(({ name, by }, column) => {
      const isSorted = column === this.#sort.column;
      const order = isSorted ? this.#sort.descending ? "descending" : "ascending" : null;
      return by === undefined ? h("th", { scope: "col" }, name) : h(
        "th",
        { scope: "col", "aria-sort": order },
        h("button", { type: "button", click: () => this.#sortBy(column) }, name),
      );
    });
    const body = shown.map(({ row, index }) => this.#row(row, index, columns));
    const scroll = this.#body.scrollTop;
    this.#body.replaceChildren(
      h(
        "table",
        { class: `rows ${this.#tab}` },
        h("thead", {}, h("tr", {}, ...head)),
        h("tbody", {}, ...body),
      ),
    );
    this.#body.scrollTop = scroll;
    this.#status.textContent = shown.length === rows.length
      ? ""
      : `${shown.length} of ${rows.length} match`;
    this.#mark();
  }

  #row<Row>(row: Row, index: number, columns: readonly Column<Row>[]): HTMLElement {
    const kind = this.#tab;
    const cells = columns.map(({ name, cell }, column) => {
      const content = cell(row, index);
      if (kind === "float" || column !== 2) return h("td", { "data-label": name }, content);
      const selection: Selection = { kind, index };
      const link = h("a", { href: hashOf(selection) }, content);
      return h("th", { scope: "row" }, link);
    });
    const element = h("tr", { "data-index": index }, ...cells);
    if (kind !== "float") {
      element.addEventListener("click", (event) => {
        event.preventDefault();
        this.#options.onSelect({ kind, index });
      });
    }
    return element;
  }

  #sortBy(column: number): void {
    const isSame = this.#sort.column === column;
    this.#sort = { column, descending: isSame && !this.#sort.descending };
    this.#fill();
    this.#body.querySelectorAll<HTMLElement>("th[scope=col]")[column]?.querySelector("button")
      ?.focus();
  }

  #mark(): void {
    for (const row of this.#body.querySelectorAll("tbody tr")) {
      const isCurrent = this.#selection?.kind === this.#tab &&
        row.getAttribute("data-index") === String(this.#selection.index);
      if (isCurrent) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }

  /** Arrow keys go from row to row. */
  #move(event: KeyboardEvent): void {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    const links = [...this.#body.querySelectorAll<HTMLElement>("tbody a")];
    const at = links.indexOf(document.activeElement as HTMLElement);
    const next = links[at + step];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    next.focus();
    next.click();
  }
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === "number" && typeof b === "number") return a < b ? -1 : a > b ? 1 : 0;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}
