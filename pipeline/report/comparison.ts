/**
 * A comparison of variants as text. Pure functions of the result.
 *
 * @module
 */
import type { BestVariant, ComparedModel, Comparison } from "../compare/comparison.ts";
import { type PairedDifference, SIGNIFICANCE } from "../evaluate/paired.ts";
import { formatTable } from "./table.ts";

/** Marks a difference that may be chance. */
const CHANCE = "≈";

/** What the report is about. */
export interface ComparisonReport extends Comparison {
  /** Time for one sample as part of the float model's, in the order of the models; empty: not measured. */
  readonly latency: readonly number[];
}

/** The table, and what its differences are worth. */
export function comparisonReport({ models, best, latency }: ComparisonReport): string {
  const isLabelled = best !== null;
  const rows = models.map((model, i) => {
    const { evaluation: { name, top1, top5, loss, agreement, sqnr, cosine } } = model;
    return [
      name,
      ...isLabelled
        ? [percent(top1), difference(model), percent(top5), loss === null ? "∞" : loss.toFixed(3)]
        : [],
      i === 0 ? "–" : sqnr === null ? "∞" : `${sqnr.toFixed(1)} dB`.replace("-", "−"),
      ...isLabelled ? [] : [i === 0 ? "–" : cosine.toFixed(5)],
      i === 0 ? "–" : percent(agreement),
      size(model.bytes),
      latency.length === 0 ? "–" : latency[i].toFixed(2),
    ];
  });
  const head = [
    "model",
    ...isLabelled ? ["top-1", "vs float [95 %]", "top-5", "loss"] : [],
    "SQNR",
    ...isLabelled ? [] : ["cosine"],
    ...["agreement", "size", "latency"],
  ];
  const table = formatTable([head, ...rows]);
  const lines = isLabelled ? worth(models[0], best) : [
    `Outputs against those of float, ${
      models[0].evaluation.samples
    } samples without labels; cosine: the mean over samples.`,
    LATENCY,
  ];
  return `${table}\n${lines.join("\n")}\n`;
}

const LATENCY = "Latency: median of single samples by turns on this machine, float = 1.";

/** Says what is a difference and what may be none. */
function worth({ evaluation }: ComparedModel, best: BestVariant): string[] {
  const { samples, classes } = evaluation;
  const labelled = classes.reduce((sum, entry) => sum + entry.samples, 0);
  const of = labelled === samples ? `${samples}` : `${labelled} labelled ones of ${samples}`;
  const lines = [
    `${CHANCE} may be chance: exact McNemar test on the hits of both models, p ≥ ${SIGNIFICANCE}; ${of} samples.`,
    "In brackets Tango's score interval for paired differences, points of top-1, each row for itself.",
    LATENCY,
  ];
  const others = best.others.toSorted((a, b) =>
    b.againstBest.difference - a.againstBest.difference
  );
  const close = others.filter(({ againstBest }) => !againstBest.isDistinct);
  const behind = others.filter(({ againstBest }) => againstBest.isDistinct);
  if (others.length > 0) {
    lines.push("", `Best top-1: ${best.name}`);
    if (close.length > 0) lines.push(`  ${CHANCE} may be as good: ${list(close)}`);
    if (behind.length > 0) lines.push(`  behind it: ${list(behind)}`);
  }
  return lines;
}

/** Variants that are named beside the best one; the result has all. */
const MAX_NAMED = 3;

/** The nearest first. */
function list(others: BestVariant["others"]): string {
  const shown = others.slice(0, MAX_NAMED).map(({ name, againstBest }) =>
    `${name} (${points(againstBest)}, p = ${againstBest.p.toPrecision(2)})`
  );
  const left = others.length - shown.length;
  return shown.join(", ") + (left > 0 ? ` and ${left} more` : "");
}

function difference({ againstFloat }: ComparedModel): string {
  if (againstFloat === null) return "–";
  return `${points(againstFloat)} ${againstFloat.isDistinct ? " " : CHANCE}`;
}

/** `−0.15 [−0.48, +0.17]`, in points of a percent. */
function points({ difference, interval: [low, high] }: PairedDifference): string {
  return `${signed(difference)} [${signed(low)}, ${signed(high)}]`;
}

function signed(part: number): string {
  const text = (100 * Math.abs(part)).toFixed(2);
  return Number(text) === 0 ? text : `${part < 0 ? "−" : "+"}${text}`;
}

function percent(part: number | null): string {
  return part === null ? "–" : `${(100 * part).toFixed(2)} %`;
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
