/**
 * Accuracy of several models as text. Pure functions of the evaluation.
 *
 * @module
 */
import type { ModelEvaluation } from "../evaluate/evaluate.ts";
import { formatTable } from "./table.ts";

/** Classes shown at most, those that changed most. */
const MAX_CLASSES = 12;

/** The comparison of models, then what changed by class when there are labels. */
export function accuracyReport(evaluations: readonly ModelEvaluation[]): string {
  const rows = evaluations.map((entry, i) => [
    entry.name,
    percent(entry.top1),
    percent(entry.top5),
    i === 0 ? "–" : percent(entry.agreement),
    i === 0 ? "–" : entry.sqnr === null ? "∞" : `${entry.sqnr.toFixed(1)} dB`,
  ]);
  const head = ["model", "top-1", "top-5", "agreement", "SQNR"];
  return formatTable([head, ...rows]) + classReport(evaluations);
}

function classReport(evaluations: readonly ModelEvaluation[]): string {
  const [reference, ...others] = evaluations;
  if (reference.classes.length === 0 || others.length === 0) return "";
  const change = (i: number) =>
    Math.max(...others.map(({ classes }) => Math.abs(classes[i].top1 - reference.classes[i].top1)));
  const order = reference.classes.map((_, i) => i).sort((a, b) => change(b) - change(a) || a - b);
  const shown = order.slice(0, MAX_CLASSES).sort((a, b) => a - b);
  const rows = shown.map((i) => [
    reference.classes[i].name,
    ...evaluations.map(({ classes }) => percent(classes[i].top1 / classes[i].samples)),
  ]);
  const left = order.length - shown.length;
  const more = left > 0 ? `${left} more classes changed less; see evaluation.json\n` : "";
  return "\n" + formatTable([["top-1 by class", ...evaluations.map(({ name }) => name)], ...rows]) +
    more;
}

function percent(part: number | null): string {
  return part === null ? "–" : `${(100 * part).toFixed(2)} %`;
}
