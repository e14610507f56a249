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
  const isFront = rounds.some(({ report }) => report !== undefined);
  const rows = rounds.map(({ name, predicted, measured, report }, i) =>
    h(
      "tr",
      { "aria-current": i === chosen ? "true" : null },
      h(
        "th",
        { scope: "row" },
        i === chosen
          ? `${name} (${isFront ? "this one" : "written"})`
          : report === undefined
          ? name
          : h("a", { href: report }, name),
      ),
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
        `${samples.sensitivity} samples, models on ${samples.models}. Filled dots are measured, ` +
        "hollow ones expected.",
    ),
    isWithin ? null : h("p", { class: "lost" }, "No model that was made keeps these limits."),
    table(head, rows, "Models of the plan"),
    ...frontCharts(plan, width),
    h(
      "details",
      {},
      h("summary", {}, `${units.length} units`),
      unitTable(units),
    ),
  );
}

/** Loss against time, where times are known, and bits of weights; what was expected is hollow. Models with reports lead to them. */
function frontCharts(plan: Plan, width: number): Element[] {
  const isTimed = plan.rounds.some(({ predicted }) => (predicted?.latency ?? null) !== null);
  return [
    ...(isTimed
      ? [frontChart(plan, width, {
        against: "time",
        label: "part of the float model's time",
        x: ({ latency }) => latency,
        isFloatAtOne: true,
      })]
      : []),
    frontChart(plan, width, {
      against: "bits of weights",
      label: "bits of a weight on average",
      x: ({ bits }) => bits ?? null,
    }),
  ];
}

interface Axis {
  readonly against: string;
  readonly label: string;
  readonly x: (figures: PlanFigures) => number | null;
  readonly isFloatAtOne?: boolean;
}

function frontChart(
  { rounds, chosen }: Plan,
  width: number,
  { against, label, x, isFloatAtOne = false }: Axis,
): Element {
  const all = rounds.flatMap(({ name, predicted, measured, report }, i) => {
    // Made models have the bits that were planned.
    const bits = predicted?.bits;
    return [{ ...measured, ...(bits === undefined ? {} : { bits }) }, predicted].flatMap(
      (figures, k) => {
        const at = figures === null ? null : x(figures);
        if (figures === null || at === null || figures.loss === null || figures.loss === 0) {
          return [];
        }
        const y = -10 * Math.log10(figures.loss);
        const kind = { isExpected: k === 1, isChosen: i === chosen };
        return [{ name, x: at, y, href: i === chosen ? undefined : report, ...kind }];
      },
    );
  });
  const points = all.filter(({ isExpected }) => !isExpected);
  const colour = ({ isChosen }: { isChosen: boolean }) =>
    isChosen ? "var(--accent)" : "var(--text)";
  const figure = plot({
    width,
    height: 220,
    marginLeft: 54,
    marginRight: 120,
    ariaLabel: `Output SQNR of the models against ${against}`,
    x: { nice: true },
    y: { nice: true },
    marks: [
      axisX({ label, ticks: width / 90 }),
      axisY({ label: "output SQNR in dB", ticks: 5 }),
      ...(isFloatAtOne ? [ruleX([1], { strokeOpacity: 0.3, strokeDasharray: "3 3" })] : []),
      ruleY(points.filter(({ isChosen }) => isChosen), { y: "y", strokeOpacity: 0.2 }),
      dot(all.filter(({ isExpected }) => isExpected), { x: "x", y: "y", r: 4, stroke: colour }),
      dot(points, { x: "x", y: "y", r: 4, fill: colour, href: "href" }),
      text(points, { x: "x", y: "y", text: "name", dx: 8, textAnchor: "start", href: "href" }),
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
