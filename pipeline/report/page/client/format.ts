/**
 * Numbers as the page prints them.
 *
 * @module
 */

const MINUS = "−";

/** A real value, four significant digits. */
export function real(value: number): string {
  const text = Math.abs(value) >= 1e5 || value !== 0 && Math.abs(value) < 1e-3
    ? value.toExponential(2)
    : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", MINUS);
}

/** A count with thousands apart. */
export function count(value: number): string {
  return value.toLocaleString("en");
}

/** A part as a percentage: so many digits behind the point, or two significant ones. */
export function percent(part: number | null, digits?: number): string {
  if (part === null) return "–";
  if (digits !== undefined) return `${(100 * part).toFixed(digits)} %`;
  return part === 0 ? "0 %" : `${Number((100 * part).toPrecision(2))} %`;
}

/** A signal-to-noise ratio; null is lossless. */
export function decibels(value: number | null): string {
  return value === null ? "∞" : `${value.toFixed(1)} dB`;
}

/** Points of top-1 with their sign. */
export function points(part: number): string {
  const value = (100 * part).toFixed(2);
  return Number(value) === 0
    ? "0.00"
    : value.startsWith("-")
    ? MINUS + value.slice(1)
    : `+${value}`;
}

/** A shape, as 1 × 3 × ?. */
export function shape(dims: readonly (number | null)[]): string {
  return dims.map((dim) => dim ?? "?").join(" × ") || "scalar";
}

/** A size in bytes. */
export function bytes(value: number): string {
  return value < 1e6 ? `${Math.round(value / 1e3)} kB` : `${(value / 1e6).toFixed(1)} MB`;
}
