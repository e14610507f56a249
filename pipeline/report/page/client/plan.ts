/**
 * The plan: models that were made, with what was expected of them, and what became of each unit.
 *
 * @module
 */
/// <reference lib="dom" />
import { axisX, axisY, dot, plot, ruleX, ruleY, text } from "@observablehq/plot";
import type { Plan, PlanFigures, PlannedUnit } from "../../../plan/plan.ts";
import type { ReportData } from "../data.ts";
import { breakable, h } from "./dom.ts";
import { bytes, decibels } from "./format.ts";

/** The section; nothing where nothing was planned. */
export function planSection(
  { plan }: Pick<ReportData, "plan">,
  width: number,
): HTMLElement | null {
  if (plan === null) return null;
  const { goal, rounds, chosen, isWithin, units, samples } = plan;
  const head = ["model", "loss", "expected", "of float's time", "expected", "size", "expected"];
  const rows = rounds.map(({ name, predicted, measured }, i) =>
    h(
      "tr",
      { "aria-current": i === chosen ? "true" : null },
      h("th", { scope: "row" }, i === chosen ? `${name} (written)` : name),
      ...[
        sqnrOf(measured),
        predicted === null ? "–" : sqnrOf(predicted),
        part(measured.latency),
        part(predicted?.latency ?? null),
        bytes(measured.size),
        predicted === null ? "–" : bytes(Math.round(predicted.size)),
      ].map((cell) => h("td", {}, cell)),
    )
  );
  return h(
    "section",
    { "aria-labelledby": "plan" },
    h("h2", { id: "plan" }, "Plan"),
    h(
      "p",
      { class: "note" },
      `${goal[0].toUpperCase()}${goal.slice(1)}. Losses of single quantizers were measured on ` +
        `${samples.sensitivity} samples, models on ${samples.models}.`,
    ),
    isWithin ? null : h("p", { class: "lost" }, "No model that was made keeps these limits."),
    table(head, rows, "Models of the plan"),
    frontChart(plan, width),
    h(
      "details",
      {},
      h("summary", {}, `${units.length} units`),
      unitTable(units),
    ),
  );
}

/** Loss against time, or size where nobody knows times. */
function frontChart({ rounds, chosen }: Plan, width: number): Element {
  const isTimed = rounds.every(({ measured }) => measured.latency !== null);
  const points = rounds.flatMap(({ name, measured }, i) =>
    measured.loss === null || measured.loss === 0 ? [] : [{
      name,
      x: isTimed ? measured.latency! : measured.size / 1e6,
      y: -10 * Math.log10(measured.loss),
      isChosen: i === chosen,
    }]
  );
  const figure = plot({
    width,
    height: 220,
    marginLeft: 54,
    marginRight: 120,
    ariaLabel: `Output SQNR of the models against ${isTimed ? "time" : "size"}`,
    x: { nice: true },
    y: { nice: true },
    marks: [
      axisX({ label: isTimed ? "part of the float model's time" : "MB", ticks: width / 90 }),
      axisY({ label: "output SQNR in dB", ticks: 5 }),
      ...(isTimed ? [ruleX([1], { strokeOpacity: 0.3, strokeDasharray: "3 3" })] : []),
      ruleY(points.filter(({ isChosen }) => isChosen), { y: "y", strokeOpacity: 0.2 }),
      dot(points, {
        x: "x",
        y: "y",
        r: 4,
        fill: ({ isChosen }: { isChosen: boolean }) => isChosen ? "var(--accent)" : "var(--text)",
      }),
      text(points, { x: "x", y: "y", text: "name", dx: 8, textAnchor: "start" }),
    ],
  });
  return h("figure", {}, figure);
}

function unitTable(units: readonly PlannedUnit[]): HTMLElement {
  const head = ["unit", "operator", "choice", "loss of weights", "time", "other kernel", "weights"];
  const rows = units.map(({ node, op, choice, weightBits, loss, time, otherTime, size, reason }) =>
    h(
      "tr",
      { title: reason },
      h("th", { scope: "row" }, breakable(node)),
      ...[
        op,
        `${CHOICES[choice]}${weightBits === null ? "" : `, ${weightBits} bits`}`,
        loss === null ? "all" : loss === 0 ? "–" : decibels(-10 * Math.log10(loss)),
        micro(time),
        micro(otherTime),
        size === 0 ? "–" : bytes(Math.round(size)),
      ].map((cell) => h("td", {}, cell)),
    )
  );
  return table(head, rows, "Units of the plan");
}

const CHOICES = { integer: "codes", stored: "floats, weights in codes", float: "floats" } as const;

function table(head: readonly string[], rows: readonly HTMLElement[], label: string): HTMLElement {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      { class: "numbers" },
      h("thead", {}, h("tr", {}, ...head.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, ...rows),
    ),
  );
}

function sqnrOf({ loss }: PlanFigures): string {
  if (loss === null) return "lost";
  return decibels(loss === 0 ? null : -10 * Math.log10(loss));
}

function part(value: number | null): string {
  return value === null ? "–" : value.toFixed(2);
}

function micro(nanoseconds: number | null): string {
  return nanoseconds === null ? "–" : `${(nanoseconds / 1000).toFixed(0)} µs`;
}
