/**
 * Data that can't be right, as far as statistics and evaluation show it: said, never silent. Notes don't change a verdict.
 *
 * @module
 */
import { option } from "../../core/option_words.ts";
import { indexGraph } from "../../onnx/graph/graph_index.ts";
import { floatData } from "../../onnx/file/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import type { ModelEvaluation } from "../evaluate/evaluate.ts";
import { channelMeans } from "../statistics/channel_sums.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { countAbove, valueBins } from "../statistics/value_bins.ts";

/** Part of a tensor's elements that one code may have before it is said. */
const ONE_CODE = 0.9995;
/** Tensors that one note names. */
const NAMED = 3;
/** Standard deviations by which the output of the first layer may be off what its BatchNormalization expects. */
const FAR = 5;
/** Samples from which accuracy means something. */
const LEAST_LABELLED = 50;

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
  const far = crowded.length > 0 ? undefined : farFromTraining(model, statistics);
  if (far !== undefined) notes.push(far);
  return notes;
}

/** Part of the elements that round to zero. */
function shareOfZeroCode(
  histogram: Statistics["tensors"][number]["histogram"],
  scale: number,
): number {
  const bins = valueBins(histogram);
  return (countAbove(bins, -scale / 2) - countAbove(bins, scale / 2)) / bins.total;
}

/**
 * The output of a first convolution has, on what it was trained on, about the mean that its BatchNormalization subtracts.
 * E of an output channel is the sum of its weights times the mean of each input channel, but for borders.
 */
function farFromTraining({ graph }: Model, { channels }: Statistics): string | undefined {
  const index = indexGraph(graph);
  const inputs = new Set(graph.input.map(({ name }) => name));
  for (const node of graph.node) {
    if (node.opType !== "Conv" || !inputs.has(node.input[0])) continue;
    const [reader] = index.consumers.get(node.output[0]) ?? [];
    if (reader?.opType !== "BatchNormalization") continue;
    const constants = [node.input[1], node.input[2], reader.input[3], reader.input[4]].map(
      (name) => {
        const tensor = name === undefined ? undefined : index.initializers.get(name);
        return tensor && floatData(tensor);
      },
    );
    const [weights, bias, mean, variance] = constants;
    const own = channels.find(({ tensor }) => tensor === node.input[0]);
    const means = own && channelMeans(own);
    if (!weights || !mean || !variance || means === undefined) continue;
    const each = weights.length / mean.length;
    const perInput = each / means.length;
    if (!Number.isInteger(perInput)) continue;
    const off = Array.from(mean, (expected, c) => {
      let found = bias?.[c] ?? 0;
      for (let i = 0; i < each; i++) {
        found += weights[c * each + i] * means[Math.floor(i / perInput)];
      }
      return Math.abs(found - expected) / Math.sqrt(variance[c] + 1e-12);
    }).sort((a, b) => a - b);
    const median = off[Math.floor(off.length / 2)];
    if (median <= FAR) continue;
    return `The first convolution gives values ${
      median.toFixed(0)
    } standard deviations from what its ` +
      `BatchNormalization was trained on: check ${option("mean")}, ${option("std")} and ${
        option("preprocess")
      }`;
  }
  return undefined;
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
  if (classes === undefined || classes < 2 || labelled < LEAST_LABELLED) return [];
  const chance = 1 / Math.min(classes, Math.max(2, labels.length));
  const most = chance + 3 * Math.sqrt(chance * (1 - chance) / labelled);
  if (float.top1 > most || labels.length < 2) return [];
  return [
    `The float model gets ${
      (100 * float.top1).toFixed(1)
    } % of ${labelled} samples right, as guessing would: ` +
    (labels.length * 10 <= classes
      ? `${labels.length} different labels against ${classes} classes are probably folders of other classes`
      : `check the preprocessing and the labels`),
  ];
}
