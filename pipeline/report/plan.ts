/**
 * A plan as text. Pure.
 *
 * @module
 */
import type { Plan, PlanFigures } from "../plan/plan.ts";
import type { ExpectedPlan } from "../plan/plan_from_sensitivity.ts";
import { decibels } from "../../core/portable_math.ts";
import { formatTable } from "./table.ts";

/** The models that were made, what was expected of each, and which one is written. */
export function planReport({ goal, rounds, chosen, isWithin, units }: Plan): string {
  const counts = (["integer", "stored", "float"] as const).map((kind) =>
    units.filter(({ choice }) => choice === kind).length
  );
  return roundsTable(rounds, chosen) +
    `Planned: ${goal}; ${counts[0]} units with codes, ${counts[1]} with floats whose weights are ` +
    `stored in codes, ${counts[2]} with floats.\n` +
    (isWithin
      ? ""
      : "Note: no model that was made keeps these limits; this one exceeds them least.\n");
}

/** The points of a front, with what was expected of each. */
export function frontReport({ rounds, measure, samples, costs }: Plan): string {
  return roundsTable(rounds) +
    `The front of loss against ${
      costs === null ? "bits of weights" : "time"
    }: each model has the ` +
    `least expected loss for its expected ${costs === null ? "bits" : "time"}. Loss: ` +
    `${measure === "squared" ? "squared error of the outputs" : "divergence of the classes"}, ` +
    `${samples.models} runs.\n`;
}

/** Models, with what was expected of them. */
function roundsTable(rounds: Plan["rounds"], chosen?: number): string {
  const rows = rounds.map(({ name, predicted, measured }, i) => [
    `${name}${i === chosen ? " (written)" : ""}`,
    lossCell(measured.loss),
    lossCell(predicted?.loss),
    partCell(measured.latency),
    partCell(predicted?.latency),
    megabytes(measured),
    predicted === null ? "–" : megabytes(predicted),
  ]);
  const head = ["model", "loss", "expected", "of float's time", "expected", "MB", "expected"];
  return formatTable([head, ...rows]);
}

/** A loss in decibels below the signal, as tables have it. */
export function lossCell(loss: number | null | undefined): string {
  if (loss === undefined) return "–";
  return loss === null ? "lost" : loss === 0 ? "∞" : `${(-decibels(loss)).toFixed(1)} dB`;
}

/** A part of the float model's time. */
export function partCell(part: number | null | undefined): string {
  return part === null || part === undefined ? "–" : part.toFixed(2);
}

function megabytes({ size }: PlanFigures): string {
  return (size / 1e6).toFixed(2);
}

/** A plan that nobody has made a model of, with the front that it is a point of. */
export function expectedPlanReport(
  { goal, expected, usual, front, units }: ExpectedPlan,
): string {
  const row = (name: string, { loss, latency, size, bits }: PlanFigures) => [
    name,
    lossCell(loss),
    partCell(latency),
    bits?.toFixed(2) ?? "–",
    (size / 1e6).toFixed(2),
  ];
  const changed = units.filter(({ choice }) => choice !== "integer").length;
  return formatTable([
    ["choice", "expected loss", "of float's time", "bits a weight", "MB of weights"],
    row("everything on integers", usual),
    row("this plan", expected),
    ...front.map((point, i) => row(`front, ${i + 1}`, point)),
  ]) + `Planned: ${goal}; ${changed} of ${units.length} units with floats.\n`;
}
