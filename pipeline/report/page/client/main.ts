/**
 * The script of the report page: reads the data that the page carries and draws them.
 *
 * @module
 */
/// <reference lib="dom" />
import type { ReportData, RunDescription } from "../data.ts";
import { accuracyTable } from "./accuracy.ts";
import { activationDetail } from "./activation_detail.ts";
import { diagnosisSection } from "./diagnosis.ts";
import { h, terms } from "./dom.ts";
import { count } from "./format.ts";
import { legend } from "./legend.ts";
import { QuantizerList } from "./list.ts";
import { overviewChart } from "./overview_chart.ts";
import { hashOf, type Selection, selectionOf } from "./selection.ts";
import { verdictSection } from "./verdict.ts";
import { planSection } from "./plan.ts";
import { suspectList } from "./suspects.ts";
import { weightDetail } from "./weight_detail.ts";

/** Width of paper between its margins, in CSS pixels, for charts that are printed. */
const PAPER = 700;

class Page {
  readonly #data: ReportData;
  readonly #methods: readonly string[];
  readonly #hidden: Set<string>;
  readonly #list: QuantizerList;
  readonly #legend = h("div");
  readonly #overview = h("figure", { id: "overview" });
  readonly #plan = h("div");
  readonly #detail = h("section", { id: "detail", "aria-label": "Details", tabindex: -1 });
  #isLog = true;
  #selection: Selection | undefined;

  constructor(data: ReportData) {
    this.#data = data;
    const methods = data.activations.flatMap(({ seen }) => seen?.methods ?? []);
    this.#methods = [...new Set(methods.map(({ method }) => method))];
    const shown = new Set<string>([
      ...data.shownMethods,
      ...data.activations.map(({ method }) => method),
    ]);
    this.#hidden = new Set(this.#methods.filter((method) => !shown.has(method)));
    this.#list = new QuantizerList({ data, onSelect: (selection) => this.#open(selection) });
  }

  show(root: Element): void {
    const { title, made, accuracy, activations, weights, float } = this.#data;
    root.replaceChildren(
      h(
        "header",
        {},
        h("h1", {}, title),
        h(
          "p",
          { class: "note" },
          `${activations.length} activations and ${weights.length} weight tensors quantized for target ${made.target} ` +
            `from ${count(made.samples)} samples; ${float.length} nodes stay float`,
        ),
      ),
      h(
        "div",
        { class: accuracy === null ? null : "summary" },
        accuracy === null ? null : accuracyTable(accuracy),
        h(
          "section",
          { "aria-labelledby": "along" },
          h("h2", { id: "along" }, "SQNR along the graph"),
          this.#overview,
          this.#legend,
        ),
      ),
      verdictSection(this.#data) ?? "",
      this.#plan,
      suspectList(this.#data, (selection) => this.#open(selection, true)),
      diagnosisSection(this.#data, (selection) => this.#open(selection, true)) ?? "",
      h("div", { class: "columns" }, this.#list.element, this.#detail),
      this.#howItWasMade(),
    );
    this.#draw();
    globalThis.addEventListener("hashchange", () => this.#followAddress());
    new ResizeObserver(() => this.#drawSoon()).observe(root);
    globalThis.addEventListener("beforeprint", () => this.#draw(PAPER));
    globalThis.addEventListener("afterprint", () => this.#draw());
    document.addEventListener("keydown", (event) => this.#shortcut(event));
    this.#followAddress();
  }

  #followAddress(): void {
    const suspect = this.#data.suspects[0];
    const first = suspect ??
      { kind: this.#data.activations.length > 0 ? "activation" : "weight", index: 0 };
    const selection = selectionOf(location.hash, this.#data) ?? first;
    if (this.#data.activations.length + this.#data.weights.length > 0) this.#select(selection);
  }

  /** Selects by hand: the address follows, and with `scroll` the eye. */
  #open(selection: Selection, scroll = false): void {
    const isBelow = scroll || matchMedia("(max-width: 60rem)").matches;
    history.pushState(null, "", hashOf(selection));
    this.#select(selection);
    if (isBelow) this.#detail.scrollIntoView({ block: "start" });
  }

  #select(selection: Selection): void {
    this.#selection = selection;
    this.#list.select(selection);
    this.#drawOverview();
    this.#drawDetail();
  }

  #frame = 0;

  #drawSoon(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(width?: number): void {
    this.#legend.replaceChildren(
      legend(this.#methods, this.#hidden, (method) => this.#toggle(method)),
    );
    this.#drawOverview(width);
    this.#plan.replaceChildren(planSection(this.#data, width ?? this.#plan.clientWidth) ?? "");
    this.#drawDetail(width);
  }

  #drawOverview(width = this.#overview.clientWidth): void {
    if (width === 0) return;
    const { activations } = this.#data;
    const selected = this.#selection?.kind === "activation" ? this.#selection.index : undefined;
    this.#overview.replaceChildren(overviewChart(activations, {
      width,
      methods: this.#methods.filter((method) => !this.#hidden.has(method)),
      selected,
      onSelect: (index) => this.#open({ kind: "activation", index }),
    }));
  }

  #drawDetail(width = this.#detail.clientWidth - 32): void {
    if (this.#selection === undefined || width <= 0) return;
    const { kind, index } = this.#selection;
    const options = {
      data: this.#data,
      width,
      isLog: this.#isLog,
      hidden: this.#hidden,
      onScale: () => {
        this.#isLog = !this.#isLog;
        this.#drawDetail();
        document.getElementById("scale")?.focus();
      },
      onSelect: (selection: Selection) => this.#open(selection),
    };
    this.#detail.replaceChildren(
      kind === "activation" ? activationDetail(index, options) : weightDetail(index, options),
    );
  }

  #toggle(method: string): void {
    if (!this.#hidden.delete(method)) this.#hidden.add(method);
    this.#draw();
    this.#legend.querySelector<HTMLElement>(`[data-method="${method}"]`)?.focus();
  }

  #shortcut(event: KeyboardEvent): void {
    const isTyping = event.target instanceof HTMLInputElement;
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      document.getElementById("search")?.focus();
    }
  }

  #howItWasMade(): HTMLElement {
    const { made } = this.#data;
    return h(
      "section",
      { "aria-labelledby": "made", class: "made" },
      h("h2", { id: "made" }, "How it was made"),
      terms([
        ["tool", made.tool],
        ["target", made.target],
        ...made.wishes.map(([name, value]) => [name, value] as const),
        [
          "calibration",
          `${count(made.samples)} samples${
            made.skipped === 0 ? "" : `, ${count(made.skipped)} left out`
          }`,
        ],
        made.rewrites.length === 0 ? null : ["rewrites", made.rewrites.join("; ")],
        ["model", h("code", {}, made.model)],
        ["target, SHA-256", h("code", {}, made.targetSha256)],
        ["samples, SHA-256", h("code", {}, made.data)],
        made.preprocessing === null ? null : ["preprocessing", h("code", {}, made.preprocessing)],
        ["statistics", h("code", {}, made.statistics)],
        made.repeat === null ? null : ["the same again", h("code", {}, made.repeat)],
        made.run === null ? null : ["run", runText(made.run)],
        made.run === null ? null : ["command", h("code", {}, made.run.command.join(" "))],
      ]),
      ...definition("Target as the recipe found it", made.definitions?.target ?? null),
      ...definition("Preprocessing", made.definitions?.preprocessing ?? null),
      h(
        "p",
        { class: "note" },
        "Thresholds that were not chosen are searched under the same bits, constraint and sign, from the same statistics. " +
          "ERR is per element. Keys: / searches, arrows move through the list.",
      ),
    );
  }
}

/** When, how long, where. */
function runText({ started, seconds, machine, tool }: RunDescription): string {
  return [tool, started, `${seconds} s`, machine ?? []].flat().join(", ");
}

/** A long text that opens on demand. */
function definition(title: string, text: string | null): HTMLElement[] {
  if (text === null) return [];
  return [h("details", {}, h("summary", {}, title), h("pre", {}, text))];
}

const element = document.getElementById("data")!;
new Page(JSON.parse(element.textContent!)).show(document.querySelector("main")!);
