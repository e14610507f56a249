/**
 * A plan as text. Pure.
 *
 * @module
 */
import type { Plan, PlanFigures } from "../plan/plan.ts";
import { decibels } from "../../core/portable_math.ts";
import { formatTable } from "./table.ts";

/** The models that were made, what was expected of each, and which one is written. */
export function planReport({ goal, rounds, chosen, isWithin, units }: Plan): string {
  const rows = rounds.map(({ name, predicted, measured }, i) => [
    `${name}${i === chosen ? " (written)" : ""}`,
    ...lossCells(predicted?.loss, measured.loss),
    ...latencyCells(predicted?.latency, measured.latency),
    megabytes(measured),
  ]);
  const head = ["model", "loss", "expected", "of float's time", "expected", "MB"];
  const counts = (["integer", "stored", "float"] as const).map((kind) =>
    units.filter(({ choice }) => choice === kind).length
  );
  return formatTable([head, ...rows]) +
    `Planned: ${goal}; ${counts[0]} units with codes, ${counts[1]} with floats whose weights are ` +
    `stored in codes, ${counts[2]} with floats.\n` +
    (isWithin
      ? ""
      : "Note: no model that was made keeps these limits; this one exceeds them least.\n");
}

/** A loss in decibels below the signal, as tables have it. */
export function lossCell(loss: number | null | undefined): string {
  if (loss === undefined) return "–";
  return loss === null ? "lost" : loss === 0 ? "∞" : `${(-decibels(loss)).toFixed(1)} dB`;
}

function lossCells(predicted: number | null | undefined, measured: number | null): string[] {
  return [lossCell(measured), lossCell(predicted)];
}

function latencyCells(predicted: number | null | undefined, measured: number | null): string[] {
  const cell = (value: number | null | undefined) => value == null ? "–" : value.toFixed(2);
  return [cell(measured), cell(predicted)];
}

function megabytes({ size }: PlanFigures): string {
  return (size / 1e6).toFixed(2);
}
