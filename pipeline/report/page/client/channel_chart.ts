/**
 * The range of each channel of a weight tensor.
 *
 * @module
 */
/// <reference lib="dom" />
import { axisX, axisY, gridY, plot, pointerX, rectY, ruleY, tip } from "@observablehq/plot";
import type { ReportWeight } from "../data.ts";
import { real } from "./format.ts";

/** Bars that are drawn at most; neighbouring channels share one beyond that, which shows the widest. */
const MAX_BARS = 400;

/** A figure as SVG; the weights must have ranges. */
export function channelChart(
  { tensor, ranges, granularity }: ReportWeight,
  width: number,
): Element {
  const step = Math.ceil(ranges.length / MAX_BARS);
  const bars = Array.from({ length: Math.ceil(ranges.length / step) }, (_, i) => {
    const part = ranges.slice(i * step, (i + 1) * step);
    return { x1: i * step, x2: i * step + part.length, range: Math.max(...part) };
  });
  const unit = granularity === "block" ? "block" : "channel";
  return plot({
    width,
    height: Math.min(260, 160 + 0.12 * width),
    marginLeft: 54,
    marginRight: 14,
    ariaLabel: `Range of each ${unit} of ${tensor}`,
    ariaDescription: `${ranges.length} ranges from ${real(Math.min(...ranges))} to ${
      real(Math.max(...ranges))
    }`,
    x: { domain: [0, ranges.length] },
    marks: [
      gridY({ strokeOpacity: 0.12 }),
      rectY(bars, {
        x1: "x1",
        x2: "x2",
        y: "range",
        fill: "var(--bars)",
        insetRight: bars.length < 80 ? 1 : 0,
      }),
      ruleY([0], { strokeOpacity: 0.5 }),
      axisX({ label: unit, tickSize: 4, ticks: width / 90 }),
      axisY({ label: "largest magnitude", tickSize: 0, ticks: 5 }),
      tip(
        bars,
        pointerX({
          x1: "x1",
          x2: "x2",
          y: "range",
          title: ({ x1, x2, range }: (typeof bars)[number]) =>
            `${unit} ${x2 - x1 === 1 ? x1 : `${x1} … ${x2 - 1}`}\n± ${real(range)}`,
        }),
      ),
    ],
  });
}
