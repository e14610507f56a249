/**
 * Measured costs as text. Pure.
 *
 * @module
 */
import type { CostsFile } from "../plan/costs_file.ts";
import { formatTable } from "./table.ts";

/** Units that are listed one by one. */
const LISTED = 12;

/** What a model takes with floats and with codes, and the units where that differs most. */
export function costsReport(costs: CostsFile): string {
  const { units, float, integer, quantize, dequantize, runtime, runs } = costs;
  const differing = units.toSorted((a, b) =>
    Math.abs(b.integer - b.float) - Math.abs(a.integer - a.float)
  ).slice(0, LISTED);
  const rows = differing.map(({ node, op, float, integer }) => [
    node,
    op,
    micro(float),
    micro(integer),
  ]);
  const least = units.reduce(
    (sum, unit) => sum + Math.min(unit.float, unit.integer) - unit.float,
    float,
  );
  return formatTable([["unit", "operator", "floats, µs", "codes, µs"], ...rows], {
    left: [0, 1],
  }) +
    `${runtime}, ${runs} runs: ${micro(float)} µs with floats, ${micro(integer)} with ` +
    `everything on integers,\n${micro(least)} with the faster kernel of each unit; ` +
    `${quantize.toFixed(1)} and ${dequantize.toFixed(1)} ns for an element between the two\n`;
}

function micro(nanoseconds: number): string {
  return (nanoseconds / 1000).toFixed(0);
}
