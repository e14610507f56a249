/**
 * A distribution or the ranges of channels in the space of a word. Far too many are needed for a chart each.
 *
 * @module
 */
/// <reference lib="dom" />

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [96, 26];
/** Bars: two pixels each. */
const BARS = 48;

/** Marks of thresholds in a sparkline: a part of the width, and whether it is the chosen one. */
export interface Mark {
  readonly at: number;
  readonly color: string;
}

/** Bars for values of 0 and above, as many as there is room for, with marks; hidden from screen readers. */
export function sparkline(values: readonly number[], marks: readonly Mark[] = []): Element {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("class", "spark");
  svg.setAttribute("aria-hidden", "true");
  const size = Math.min(BARS, values.length);
  const bars = Array.from({ length: size }, (_, i) => {
    const part = values.slice(
      Math.floor(i * values.length / size),
      Math.floor((i + 1) * values.length / size),
    );
    return Math.max(...part);
  });
  const most = Math.max(...bars, Number.MIN_VALUE);
  const width = WIDTH / size;
  const path = bars.map((value, i) => {
    const height = value <= 0 ? 0 : Math.max(0.5, value / most * (HEIGHT - 1));
    return height === 0
      ? ""
      : `M${(i * width).toFixed(1)} ${HEIGHT}v${(-height).toFixed(1)}h${
        width.toFixed(2)
      }V${HEIGHT}z`;
  }).join("");
  svg.append(shape("path", { d: path, fill: "var(--bars)" }));
  for (const { at, color } of marks) {
    const x = (Math.min(1, Math.max(0, at)) * (WIDTH - 2) + 1).toFixed(1);
    svg.append(shape("path", { d: `M${x} 0V${HEIGHT}`, stroke: color, "stroke-width": "1.5" }));
  }
  return svg;
}

function shape(tag: string, attributes: Readonly<Record<string, string>>): Element {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
