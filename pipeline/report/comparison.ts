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
  return best.others.length === 0 ? lines : [...lines, "", ...againstBest(best)];
}

/** Variants that are shown beside the best one; the result has all. */
const MAX_SHOWN = 6;

/** The best variant, and the others against it, the nearest first. */
function againstBest({ name, others }: BestVariant): string[] {
  const sorted = others.toSorted((a, b) => b.againstBest.difference - a.againstBest.difference);
  const rows = sorted.slice(0, MAX_SHOWN).map(({ name, againstBest }) => [
    ...["", againstBest.isDistinct ? "" : CHANCE, name, points(againstBest)],
    `p = ${againstBest.p.toPrecision(2)}`,
  ]);
  const left = sorted.slice(MAX_SHOWN);
  const close = left.filter(({ againstBest }) => !againstBest.isDistinct).length;
  return [
    `Best top-1: ${name}; against it`,
    formatTable(rows, { left: [1, 2, 4] }).trimEnd(),
    ...left.length === 0 ? [] : [`     and ${left.length} more, ${close} of them ${CHANCE}`],
  ];
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
