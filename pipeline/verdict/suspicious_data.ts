/**
 * Data that can't be right, as far as statistics and evaluation show it: said, never silent. Notes don't change a verdict.
 *
 * @module
 */
import { option } from "../../core/option_words.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import type { ModelEvaluation } from "../evaluate/evaluate.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { countAbove, valueBins } from "../statistics/value_bins.ts";
import { notesOnInputs } from "./suspicious_inputs.ts";

/** Part of a tensor's elements that one code may have before it is said. */
const ONE_CODE = 0.9995;
/** Tensors that one note names. */
const NAMED = 3;
/** Samples from which accuracy means something. */
const LEAST_LABELLED = 50;
/** Samples of which a network that does its work gets at least one right. */
const LEAST_WRONG = 8;

/** Notes on calibration samples, a sentence each. */
export function notesOnStatistics(
  { model, statistics, manifest }: {
    /** The float model as it was given: BatchNormalization tells what it was trained on. */
    readonly model: Model;
    readonly statistics: Statistics;
    readonly manifest: Manifest;
  },
): string[] {
  const notes: string[] = [];
  const inputs = new Set(model.graph.input.map(({ name }) => name));
  const histograms = new Map(statistics.tensors.map((entry) => [entry.tensor, entry.histogram]));
  for (const [tensor, { finite, zeros }] of histograms) {
    if (inputs.has(tensor) && finite > 0 && zeros === finite) {
      notes.push(`Input ${tensor} is zero in every calibration sample: thresholds mean nothing`);
    }
  }
  const crowded = manifest.activations.filter((entry) => {
    const histogram = histograms.get(entry.tensor);
    if (
      histogram === undefined || entry.sameAs !== undefined || histogram.zeros === histogram.finite
    ) {
      return false;
    }
    return shareOfZeroCode(histogram, entry.scale) > ONE_CODE &&
      (histogram.finite - histogram.zeros) / histogram.finite > 1 - ONE_CODE;
  });
  if (crowded.length > 0) {
    const [{ tensor, threshold, statistics: own }] = crowded;
    notes.push(
      `Nearly all elements of ${crowded.slice(0, NAMED).map((entry) => entry.tensor).join(", ")}${
        crowded.length > NAMED ? ` and ${crowded.length - NAMED} more` : ""
      } fall into one code: ${tensor} reaches ${
        Math.max(-(own?.min ?? 0), own?.max ?? threshold).toPrecision(3)
      }. ` +
        `Look for outliers in the data; ${option("error", "percentile")} or ${
          option("zThreshold", 6)
        } leaves them out`,
    );
  }
  // An outlier moves the means as well: one note is enough.
  return crowded.length > 0 ? notes : [...notes, ...notesOnInputs(model, statistics)];
}

/** Part of the elements that round to zero. */
function shareOfZeroCode(
  histogram: Statistics["tensors"][number]["histogram"],
  scale: number,
): number {
  const bins = valueBins(histogram);
  return (countAbove(bins, -scale / 2) - countAbove(bins, scale / 2)) / bins.total;
}

/** Notes on evaluation samples; the float model comes first. */
export function notesOnEvaluation(
  [float]: readonly ModelEvaluation[],
  classes: number | undefined,
): string[] {
  if (float.top1 === null) {
    return [
      `The evaluation samples have no labels: accuracy isn't known, only what differs from float. ` +
      `Give ${option("labels")}, class folders, or ${option("labelPattern")}`,
    ];
  }
  const labels = float.classes.map(({ label }) => label);
  const highest = Math.max(...labels);
  if (classes !== undefined && classes > 1 && highest >= classes) {
    return [
      `Labels go up to ${highest}, and the model has ${classes} classes: they can't belong together`,
    ];
  }
  const labelled = float.classes.reduce((sum, { samples }) => sum + samples, 0);
  if (classes === undefined || classes < 2) return [];
  if (float.top1 === 0 && labelled >= LEAST_WRONG) {
    return [
      `The float model gets none of ${labelled} samples right: ${mismatch(labels.length, classes)}`,
    ];
  }
  if (labelled < LEAST_LABELLED) return [];
  const chance = 1 / Math.min(classes, Math.max(2, labels.length));
  const most = chance + 3 * Math.sqrt(chance * (1 - chance) / labelled);
  if (float.top1 > most || labels.length < 2) return [];
  return [
    `The float model gets ${
      (100 * float.top1).toFixed(1)
    } % of ${labelled} samples right, as guessing would: ` +
    mismatch(labels.length, classes),
  ];
}

/** What is probably wrong where labels and outputs don't meet. */
function mismatch(labels: number, classes: number): string {
  return labels * 10 <= classes
    ? `${labels} different labels against ${classes} classes are probably folders of other classes; ` +
      `give the right ones with ${option("labels")}`
    : `check the preprocessing and the labels`;
}
