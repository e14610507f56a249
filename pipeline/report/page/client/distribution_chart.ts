/**
 * The distribution of an activation with the thresholds of every method.
 *
 * @module
 */
/// <reference lib="dom" />
import {
  axisX,
  axisY,
  gridY,
  plot,
  pointerX,
  rect,
  rectY,
  ruleX,
  ruleY,
  text,
  tip,
} from "@observablehq/plot";
import type { MethodResult, ReportActivation } from "../data.ts";
import { count, percent, real } from "./format.ts";
import { superscript } from "../../superscript.ts";
import { thresholdLines } from "./thresholds.ts";

/** How the chart is drawn. */
export interface DistributionChartOptions {
  readonly width: number;
  readonly isLog: boolean;
  readonly methods: readonly MethodResult[];
}

/** Pixels between labels of lines. */
const LABEL_HEIGHT = 17;
/** The count where a logarithmic axis begins: one element stands above it. */
const LEAST = 0.7;

/** A figure as SVG; the activation must have been seen. */
export function distributionChart(
  activation: ReportActivation,
  { width, isLog, methods }: DistributionChartOptions,
): Element {
  const { cells, elements, clippedFraction } = activation.seen!;
  const lines = thresholdLines(activation, methods);
  const at = lines.flatMap(({ at }) => at);
  const domain = [Math.min(cells.low, ...at), Math.max(cells.high, ...at)];
  const reach = domain[1] - domain[0];
  const cell = (cells.high - cells.low) / cells.counts.length;
  const bars = cells.counts.map((n, i) => ({
    n,
    x1: cells.low + i * cell,
    x2: cells.low + (i + 1) * cell,
  }))
    .filter(({ n }) => n >= (isLog ? LEAST : 0.5));
  const most = Math.max(1, ...cells.counts);
  const [floor, top] = isLog ? [LEAST, most * 1.6] : [0, most * 1.04];
  const marginTop = 10 + LABEL_HEIGHT * lines.length;
  const [low, high] = activation.range;
  const clipped = clippedFraction === 0
    ? []
    : [{ x1: domain[0], x2: low }, { x1: high, x2: domain[1] }].filter(({ x1, x2 }) => x2 > x1);
  const labels = lines.map(({ at, label, color, isChosen }, i) => {
    const x = at.at(-1)!;
    return {
      x,
      label,
      color,
      isChosen,
      dy: -LABEL_HEIGHT * (lines.length - i) + 6,
      isRight: x - domain[0] > reach / 2,
    };
  });
  return plot({
    width,
    height: Math.min(340, 190 + 0.18 * width) + marginTop,
    marginTop,
    marginLeft: 54,
    marginRight: 14,
    ariaLabel: `Distribution of ${activation.tensor}`,
    ariaDescription: `${count(elements)} elements from ${real(cells.low)} to ${
      real(cells.high)
    }; thresholds: ${
      lines.map(({ label, isChosen }) => label + (isChosen ? " (chosen)" : "")).join(", ")
    }; ${percent(clippedFraction)} clipped.`,
    x: { domain },
    y: {
      type: isLog ? "log" : "linear",
      domain: [floor, top],
      clamp: true,
    },
    marks: [
      gridY({ strokeOpacity: 0.12, ...(isLog ? { ticks: 5 } : {}) }),
      rect(clipped, { x1: "x1", x2: "x2", y1: floor, y2: top, fill: "var(--clipped)" }),
      rectY(bars, {
        x1: "x1",
        x2: "x2",
        y1: floor,
        y2: "n",
        fill: "var(--bars)",
        insetLeft: 0,
        insetRight: -0.3,
      }),
      ruleY([floor], { strokeOpacity: 0.5 }),
      axisX({ label: "value", tickSize: 4, ticks: width / 90 }),
      axisY({
        label: "elements",
        tickSize: 0,
        ...(isLog ? { ticks: 5, tickFormat: power } : { tickFormat: "~s" }),
      }),
      ...lines.flatMap(({ at, color, isChosen }, i) =>
        ruleX(
          at,
          {
            stroke: color,
            strokeWidth: isChosen ? 2.5 : 1.5,
            strokeDasharray: isChosen ? null : "5 3",
            insetTop: -LABEL_HEIGHT * (lines.length - i) + 8,
          } as Parameters<typeof ruleX>[1],
        )
      ),
      ...labels.map(({ x, label, color, dy, isRight, isChosen }) =>
        text([x], {
          x: (d: number) => d,
          text: () => label,
          fill: color,
          stroke: "var(--panel)",
          strokeWidth: 4,
          dy,
          dx: isRight ? -6 : 6,
          textAnchor: isRight ? "end" : "start",
          frameAnchor: "top",
          fontWeight: isChosen ? 700 : 400,
          fontSize: 12,
        })
      ),
      tip(
        bars,
        pointerX({
          x1: "x1",
          x2: "x2",
          y: "n",
          title: ({ x1, x2, n }: (typeof bars)[number]) =>
            `${real(x1)} … ${real(x2)}\n${count(Math.round(n))} elements, ${percent(n / elements)}`,
        }),
      ),
    ],
  });
}

/** Powers of ten as such, nothing else. */
function power(value: number): string {
  const exponent = Math.log10(value);
  return Number.isInteger(exponent)
    ? exponent < 3 ? String(value) : `10${superscript(exponent)}`
    : "";
}
