/**
 * What every error method would choose for an activation, under the bits, constraint and sign that it has.
 *
 * @module
 */
import { type Levels, uniformLevels } from "../../../core/grid.ts";
import { type ActivationSpec, ERROR_METHODS, type SettledSpec } from "../../../core/types.ts";
import type { ManifestActivation } from "../../../tpc/manifest.ts";
import type { HistogramData } from "../../../wasm/mod.ts";
import { errorOfGrid, searchThreshold } from "../../search/search_threshold.ts";
import type { MethodResult } from "./data.ts";
import { drawn, drawnOrNull } from "./rounded.ts";

/** Points of a curve that are drawn at most; the least one is always among them. */
const MAX_POINTS = 160;
/** Factors of a uniform range that are drawn: from 2^−2 to 2, eight an octave. */
const RAY = { down: 16, up: 8, each: 8 };

/** Real values of the first and last code of an activation. */
export function rangeOf(
  { quantizedMin, quantizedMax, zeroPoint, scale }: ManifestActivation,
): [number, number] {
  return [drawn((quantizedMin - zeroPoint) * scale), drawn((quantizedMax - zeroPoint) * scale)];
}

/** What a target or an override sets of a method; each method takes its own. */
export type MethodSettings = Pick<ActivationSpec, "lpP" | "percentile" | "zThreshold">;

/**
 * One result a method, that of the manifest as the manifest has it; only that one where the target fixes the range.
 *
 * @param settings What the methods of this tensor are searched with; what is absent has its default.
 */
export function methodResults(
  activation: ManifestActivation,
  histogram: HistogramData,
  settings: MethodSettings,
): MethodResult[] {
  const methods = activation.fixed ? [activation.method] : ERROR_METHODS;
  const { bits, constraint, signed } = activation;
  return methods.map((method) => {
    const { lpP, percentile, zThreshold } = settings;
    const spec: SettledSpec = {
      bits,
      constraint,
      signed: signed ? "yes" : "no",
      error: method,
      lpP,
      percentile,
      zThreshold,
    };
    return method === activation.method
      ? chosen(activation, histogram, spec)
      : tried(histogram, spec);
  });
}

function chosen(
  activation: ManifestActivation,
  histogram: HistogramData,
  spec: SettledSpec,
): MethodResult {
  const { constraint, method, threshold, scale, zeroPoint, statistics } = activation;
  const { quantizedMin, quantizedMax, fixed } = activation;
  const levels = { step: scale, low: quantizedMin - zeroPoint, high: quantizedMax - zeroPoint };
  return {
    method,
    isChosen: true,
    threshold: drawn(threshold),
    range: rangeOf(activation),
    error: drawnOrNull(statistics?.error ?? null),
    sqnr: drawnOrNull(statistics?.sqnr ?? null),
    clippedFraction: drawn(statistics?.clippedFraction ?? 0),
    curve: constraint === "uniform" && !fixed
      ? alongRay(histogram, spec, levels)
      : thin(statistics?.curve ?? []),
  };
}

function tried(histogram: HistogramData, spec: SettledSpec): MethodResult {
  const { threshold, levels, error, sqnr, clippedFraction, curve } = searchThreshold(
    histogram,
    spec,
  );
  return {
    method: spec.error,
    isChosen: false,
    threshold: drawn(threshold),
    range: [drawn(levels.low * levels.step), drawn(levels.high * levels.step)],
    error: drawnOrNull(error),
    sqnr: drawnOrNull(sqnr),
    clippedFraction: drawn(clippedFraction),
    curve: spec.constraint === "uniform" ? alongRay(histogram, spec, levels) : thin(curve),
  };
}

/**
 * ERR of a uniform grid whose range is widened and narrowed, both ends alike. The search moves its two ends apart from
 * each other, so that what it tries is no curve.
 */
function alongRay(
  histogram: HistogramData,
  spec: SettledSpec,
  { step, low, high }: Levels,
): [number, number][] {
  const points: [number, number][] = [];
  for (let i = -RAY.down; i <= RAY.up; i++) {
    const factor = 2 ** (i / RAY.each) * step;
    const range = [low * factor, high * factor] as const;
    const error = errorOfGrid(histogram, spec, uniformLevels(...range, spec.bits));
    if (error === undefined) return [];
    points.push([drawn(Math.max(-range[0], range[1])), drawn(error)]);
  }
  return points;
}

/** Ascending points of a curve, evenly thinned out. */
function thin(
  curve: readonly { readonly threshold: number; readonly error: number }[],
): [number, number][] {
  const points = [...curve].sort((a, b) => a.threshold - b.threshold);
  const least = points.reduce((best, { error }, i) => error < points[best].error ? i : best, 0);
  const stride = Math.ceil(points.length / MAX_POINTS);
  return points.filter((_, i) => i % stride === 0 || i === least || i === points.length - 1)
    .map(({ threshold, error }) => [drawn(threshold), drawn(error)]);
}
