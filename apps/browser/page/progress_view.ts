/**
 * A job on its way: how far it is, and thresholds as they move.
 *
 * @module
 */
/// <reference lib="dom" />
import type { Convergence } from "../../../pipeline/passes/threshold_watch.ts";
import type { Progress } from "../../../core/progress.ts";
import { breakable, h } from "../../../pipeline/report/page/client/dom.ts";
import { count, real } from "../../../pipeline/report/page/client/format.ts";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [120, 22];
/** A threshold that changed within this last part of the samples is called moving. */
const RECENT = 0.1;

interface History {
  readonly points: { readonly samples: number; readonly threshold: number }[];
  readonly row: HTMLElement;
}

/** Progress bar, counts, and one row a threshold with its way so far. */
export class ProgressView {
  readonly element: HTMLElement;
  readonly #bar = h("progress", { "aria-label": "Samples" }) as HTMLProgressElement;
  readonly #text = h("p", { class: "note", role: "status" }, "Reading the model…");
  readonly #moving = h("p", { class: "note", "aria-live": "off" });
  readonly #notes = h("ul", { class: "reasons" });
  readonly #body = h("tbody");
  readonly #table = h(
    "div",
    {
      class: "scroll moving",
      hidden: true,
      tabindex: 0,
      role: "region",
      "aria-label": "Thresholds",
    },
    h(
      "table",
      { class: "numbers" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ...["activation", "on its way", "threshold", "since sample"].map((name) =>
            h("th", { scope: "col" }, name)
          ),
        ),
      ),
      this.#body,
    ),
  );
  readonly #histories = new Map<string, History>();
  #stage = "";
  #start = 0;

  constructor() {
    this.element = h("div", {}, this.#bar, this.#text, this.#moving, this.#notes, this.#table);
  }

  progress({ stage, done, total }: Progress): void {
    const now = performance.now();
    if (stage !== this.#stage) [this.#stage, this.#start] = [stage, now];
    if (total === undefined) this.#bar.removeAttribute("value");
    else [this.#bar.max, this.#bar.value] = [total, done];
    const rate = done / Math.max(1e-3, (now - this.#start) / 1000);
    const left = total === undefined ? "" : `, ${Math.ceil((total - done) / rate)} s left`;
    const unit = stage === "profile" ? "runs" : "samples";
    this.#text.textContent =
      `${stage}: ${count(done)}${total === undefined ? "" : ` of ${count(total)}`} ${unit}` +
      (now - this.#start < 500 ? "" : `, ${real(Number(rate.toPrecision(2)))} a second${left}`);
  }

  note(text: string): void {
    this.#notes.append(h("li", {}, text.trim()));
  }

  thresholds({ samples, tensors }: Convergence): void {
    this.#table.hidden = false;
    let moving = 0;
    for (const { tensor, threshold, lastChanged } of tensors) {
      const { points, row } = this.#historyOf(tensor);
      if (points.at(-1)?.threshold !== threshold) points.push({ samples: lastChanged, threshold });
      // At the first look all are new, which is no move.
      const isMoving = points.length > 1 && lastChanged > (1 - RECENT) * samples;
      if (isMoving) moving++;
      row.className = isMoving ? "is-moving" : "";
      row.children[1].replaceChildren(way(points, samples));
      row.children[2].textContent = real(threshold);
      row.children[3].textContent = count(lastChanged);
    }
    this.#moving.textContent =
      `${moving} of ${tensors.length} thresholds moved within the last tenth of the samples`;
  }

  #historyOf(tensor: string): History {
    let history = this.#histories.get(tensor);
    if (history === undefined) {
      const row = h(
        "tr",
        {},
        h("th", { scope: "row" }, breakable(tensor)),
        h("td"),
        h("td"),
        h("td"),
      );
      this.#body.append(row);
      this.#histories.set(tensor, history = { points: [], row });
    }
    return history;
  }
}

/** The way of a threshold over the samples, on a logarithmic scale of at least an octave each way. */
function way(points: History["points"], samples: number): Element {
  const logs = points.map(({ threshold }) => Math.log2(threshold));
  const middle = (Math.max(...logs) + Math.min(...logs)) / 2;
  const reach = Math.max(1, (Math.max(...logs) - Math.min(...logs)) / 2) * 1.15;
  const x = (at: number) => (at / samples * WIDTH).toFixed(1);
  const y = (log: number) => (HEIGHT / 2 * (1 - (log - middle) / reach)).toFixed(1);
  const path = points.map(({ samples: at }, i) =>
    i === 0 ? `M0 ${y(logs[0])}` : `H${x(at)}V${y(logs[i])}`
  ).join("");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("class", "way");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", `${path}H${WIDTH}`);
  svg.append(line);
  return svg;
}
