/**
 * ERR(t) of every method that judges candidates, each relative to its least.
 *
 * @module
 */
/// <reference lib="dom" />
import { axisX, axisY, dot, gridY, line, plot, pointer, ruleX, tip } from "@observablehq/plot";
import type { MethodResult, ReportActivation } from "../data.ts";
import { real } from "./format.ts";
import { colorOf } from "./thresholds.ts";

/** Errors that are drawn, as multiples of the least. */
const MOST = 1000;

interface Point {
  readonly method: string;
  readonly threshold: number;
  readonly error: number;
  readonly relative: number;
}

/** Curves that have something to show. */
export function curvesOf(methods: readonly MethodResult[]): MethodResult[] {
  return methods.filter(({ curve }) => curve.length > 1);
}

/** The curve as multiples of its least error; the choice, which comes from a finer search, is a point of it. */
function relativeCurve(
  { method, curve, isChosen, threshold, error }: MethodResult,
): { method: string; isChosen: boolean; points: Point[]; best: Point } {
  const scanned = curve.filter(([at]) => at !== threshold);
  const choice: [number, number][] = error === null ? [] : [[threshold, error]];
  const errors = [...curve, ...choice].map(([, value]) => value).filter((value) => value > 0);
  const least = Math.min(...errors);
  const pointOf = ([at, value]: readonly [number, number]): Point => ({
    method,
    threshold: at,
    error: value,
    relative: Math.max(1, value / least),
  });
  const points = [...scanned, ...choice].map(pointOf).filter(({ relative }) => relative <= MOST)
    .sort((a, b) => a.threshold - b.threshold);
  return { method, isChosen, points, best: pointOf([threshold, error ?? least]) };
}

/** A figure as SVG, or undefined where no method has a curve. */
export function errorChart(
  { tensor, threshold }: ReportActivation,
  methods: readonly MethodResult[],
  width: number,
): Element | undefined {
  const curves = curvesOf(methods).map(relativeCurve).filter((
    { points },
  ) => points.length > 1);
  if (curves.length === 0) return undefined;
  const all = curves.flatMap(({ points }) => points);
  const most = Math.max(2, ...all.map(({ relative }) => relative));
  const ticks = [1, 2, 5, 10, 100, 1000].filter((tick) =>
    tick <= most && (tick >= 10 || tick === 1 || most < 50)
  );
  return plot({
    width,
    height: Math.min(300, 170 + 0.16 * width),
    marginLeft: 54,
    marginRight: 14,
    marginBottom: 36,
    ariaLabel: `Error of each threshold of ${tensor}`,
    ariaDescription: curves.map(({ method, best }) =>
      `${method}: least ${real(best.error)} at ${real(best.threshold)}`
    ).join("; "),
    x: { type: "log", base: 2 },
    y: { type: "log", domain: [0.85, most * 1.2] },
    marks: [
      gridY(ticks, { strokeOpacity: 0.12 }),
      axisX({ label: "threshold", tickSize: 4, ticks: width / 80, tickFormat: real }),
      axisY(ticks, {
        label: "ERR ÷ least ERR",
        tickSize: 0,
        tickFormat: (value: number) => `${value}×`,
      }),
      ruleX([threshold], { strokeOpacity: 0.35 }),
      ...curves.map(({ method, points, isChosen }) =>
        line(points, {
          x: "threshold",
          y: "relative",
          stroke: colorOf(method),
          strokeWidth: isChosen ? 2.5 : 1.5,
          ...(method === "lp" ? { strokeDasharray: "2 4" } : {}),
        })
      ),
      ...curves.map(({ method, best }) =>
        dot([best], {
          x: "threshold",
          y: "relative",
          fill: colorOf(method),
          r: 5,
          stroke: "var(--page)",
        })
      ),
      tip(
        all,
        pointer({
          x: "threshold",
          y: "relative",
          title: ({ method, threshold, error, relative }: Point) =>
            `${method} at ${real(threshold)}\nERR ${real(error)}, ${real(relative)} × the least`,
        }),
      ),
    ],
  });
}
