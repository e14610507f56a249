/**
 * SQNR of every activation in the order of the graph, for the method that was chosen and the others.
 *
 * @module
 */
/// <reference lib="dom" />
import { axisX, axisY, dot, gridY, line, plot, pointerX, ruleX, tip } from "@observablehq/plot";
import type { ReportActivation } from "../data.ts";
import { decibels } from "./format.ts";
import { colorOf } from "./thresholds.ts";

/** Options of {@linkcode overviewChart}. */
export interface OverviewOptions {
  readonly width: number;
  /** Methods that are shown beside the chosen one. */
  readonly methods: readonly string[];
  /** Number of the selected activation, if any. */
  readonly selected?: number;
  readonly onSelect: (index: number) => void;
}

/** Methods may lose everything; no line needs to follow them below. */
const FLOOR = 0;

/** A figure as SVG. Clicking selects; with the keyboard, the list below does. */
export function overviewChart(
  activations: readonly ReportActivation[],
  { width, methods, selected, onSelect }: OverviewOptions,
): Element {
  const seen = activations.flatMap((activation, index) =>
    activation.seen === undefined ? [] : [{ index, activation, seen: activation.seen }]
  );
  const chosen = seen.flatMap(({ index, activation, seen: { sqnr } }) =>
    sqnr === null ? [] : [{ index, sqnr, tensor: activation.tensor, method: activation.method }]
  );
  const series = methods.map((method) => ({
    method,
    points: seen.map(({ index, seen }) => {
      const sqnr = seen.methods.find((result) => result.method === method)?.sqnr ?? NaN;
      return { index, sqnr: Math.max(FLOOR, sqnr) };
    }),
  }));
  const measured = activations.flatMap(({ measured }, index) =>
    measured === undefined || measured.accumulated === null
      ? []
      : [{ index, sqnr: Math.max(FLOOR, measured.accumulated) }]
  );
  const figure = plot({
    width,
    height: 230,
    marginLeft: 54,
    marginRight: 14,
    ariaLabel: "SQNR of each activation in the order of the graph",
    ariaDescription: chosen.length === 0
      ? "No activation loses anything"
      : (({ tensor, sqnr }) => `Lowest: ${tensor}, ${decibels(sqnr)}`)(
        chosen.reduce((a, b) => b.sqnr < a.sqnr ? b : a),
      ),
    x: { domain: [-0.5, activations.length - 0.5] },
    y: { nice: true },
    marks: [
      gridY({ strokeOpacity: 0.12, ticks: 5 }),
      axisX({
        label: "position in the graph",
        tickSize: 4,
        ticks: width / 80,
        tickFormat: position,
      }),
      axisY({ label: "SQNR in dB", tickSize: 0, ticks: 5 }),
      ...(selected === undefined ? [] : [ruleX([selected], { strokeOpacity: 0.4 })]),
      ...series.map(({ method, points }) =>
        line(points, {
          x: "index",
          y: "sqnr",
          stroke: colorOf(method),
          strokeWidth: 1.2,
          strokeOpacity: 0.75,
        })
      ),
      line(measured, { x: "index", y: "sqnr", stroke: "var(--text)", strokeDasharray: "1 3" }),
      dot(chosen, {
        x: "index",
        y: "sqnr",
        r: 3.2,
        fill: ({ method }: { method: string }) => colorOf(method),
        stroke: "var(--page)",
        strokeWidth: 0.6,
      }),
      tip(
        chosen,
        pointerX({
          x: "index",
          y: "sqnr",
          title: ({ tensor, sqnr, method }: (typeof chosen)[number]) =>
            `${tensor}\n${method}: ${decibels(sqnr)}`,
        }),
      ),
    ],
    color: { type: "identity" },
  });
  figure.style.cursor = "pointer";
  figure.addEventListener("click", () => {
    const { value } = figure as unknown as { value: { index: number } | null };
    if (value !== null && value !== undefined) onSelect(value.index);
  });
  return figure;
}

/** Positions are counted from 1, as the list does. */
function position(index: number): string {
  return Number.isInteger(index) ? String(index + 1) : "";
}
