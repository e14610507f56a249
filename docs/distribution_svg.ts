/**
 * The distribution of one activation tensor with thresholds drawn into it. Pure function.
 *
 * @module
 */
import { escapeMarkup } from "../pipeline/report/escape.ts";
import type { HistogramData } from "../wasm/mod.ts";
import { cellCounts } from "../pipeline/report/cells.ts";
import { superscript } from "../pipeline/report/superscript.ts";

/** A threshold to draw. */
export interface DrawnThreshold {
  /** Real value; drawn at −value, too, when signed. */
  readonly threshold: number;
  /** Its label. */
  readonly label: string;
  /** A CSS colour. */
  readonly color: string;
}

/** Options of {@linkcode distributionSvg}. */
export interface DistributionOptions {
  readonly title: string;
  readonly signed: boolean;
  readonly thresholds: readonly DrawnThreshold[];
}

const WIDTH = 760;
const HEIGHT = 300;
const MARGIN = { left: 56, right: 16, top: 44, bottom: 36 };
const CELLS = 176;

/** Draws the counts (logarithmic) over the real values (linear) as an SVG document. */
export function distributionSvg(data: HistogramData, options: DistributionOptions): string {
  const { title, signed, thresholds } = options;
  const reach = 1.04 *
    Math.max(data.max, -data.min, ...thresholds.map(({ threshold }) => threshold));
  const low = signed ? -reach : 0;
  const counts = cellCounts(data, { low, high: reach, size: CELLS });
  const highest = Math.log10(Math.max(...counts) + 1);
  const x = (value: number) =>
    MARGIN.left + (value - low) / (reach - low) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (count: number) =>
    HEIGHT - MARGIN.bottom -
    Math.log10(count + 1) / highest * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const floor = HEIGHT - MARGIN.bottom;
  const cell = (WIDTH - MARGIN.left - MARGIN.right) / CELLS;
  const bars = counts.map((count, i) =>
    count < 1
      ? ""
      : `M${round(MARGIN.left + i * cell)} ${floor}V${round(y(count))}h${round(cell)}V${floor}z`
  ).join("");
  const lines = thresholds.flatMap(({ threshold, label, color }, i) =>
    (signed ? [-threshold, threshold] : [threshold]).map((value) => {
      const at = round(x(value));
      const anchor = value > 0 ? "end" : "start";
      const text = `<text x="${round(at + (value > 0 ? -4 : 4))}" y="${
        MARGIN.top + 12 + 16 * i
      }" fill="${color}" text-anchor="${anchor}">${escapeMarkup(label)}</text>`;
      return `<path d="M${at} ${MARGIN.top}V${floor}" stroke="${color}" stroke-width="2" stroke-dasharray="5 3"/>${
        value > 0 ? text : ""
      }`;
    })
  ).join("");
  const decades = Array.from({ length: Math.floor(highest) + 1 }, (_, power) => {
    const at = round(y(10 ** power - 1 || 1));
    return `<text x="${MARGIN.left - 8}" y="${at + 4}" text-anchor="end">10${
      superscript(power)
    }</text>`;
  }).join("");
  const ticks = [low, low / 2, 0, reach / 2, reach].filter((value, i, all) =>
    all.indexOf(value) === i
  ).map((value) =>
    `<text x="${round(x(value))}" y="${floor + 18}" text-anchor="middle">${
      Number(value.toPrecision(2))
    }</text>`
  ).join("");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" fill="#57606a" role="img">` +
    `<title>${escapeMarkup(title)}</title><rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>` +
    `<text x="${MARGIN.left}" y="24" font-size="14" fill="#1f2328">${escapeMarkup(title)}</text>` +
    `<path d="${bars}" fill="#8fb8e8"/><path d="M${MARGIN.left} ${floor}H${
      WIDTH - MARGIN.right
    }" stroke="#57606a"/>` +
    `${decades}${ticks}${lines}</svg>\n`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
