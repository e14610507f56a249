/**
 * `inspect` of tensors: of a statistics file with thresholds searched on the spot, of a manifest with its own.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { MethodChoice } from "../../core/types.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { sha256 } from "../../core/hash.ts";
import type { Host } from "../../core/host.ts";
import { isSelected, isSelective, type Selection } from "../../pipeline/inspect/selection.ts";
import { gridEnds, thresholdFinder } from "../../pipeline/inspect/threshold_marks.ts";
import { statisticsReport } from "../../pipeline/report/inspection.ts";
import { textHistogram, type TextHistogramOptions } from "../../pipeline/report/text_histogram.ts";
import {
  activationFields,
  thresholdReport,
  weightFields,
} from "../../pipeline/report/thresholds.ts";
import { levelsOf } from "../../pipeline/search/levels_of.ts";
import { readPlim } from "../../pipeline/statistics/plim.ts";
import type { Statistics } from "../../pipeline/statistics/statistics.ts";
import { sibling } from "./files.ts";
import { type Inspection, nothingSelected } from "./inspection.ts";

interface TensorInspection {
  readonly file: string;
  readonly selection: Selection;
  /** Columns of the terminal. */
  readonly width?: number;
  readonly histogram?: boolean;
  readonly counts: "log" | "linear";
  readonly statistics?: string;
}

/** Columns where there is no terminal. */
const DEFAULT_WIDTH = 80;

/** Tensors of a statistics file; histograms with the thresholds of some methods. */
export function inspectStatistics(
  statistics: Statistics,
  target: Target,
  { error, ...options }: TensorInspection & { readonly error: readonly MethodChoice[] },
): Inspection {
  const { file, selection, width } = options;
  const producers = new Map(
    statistics.outline.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)),
  );
  const tensors = statistics.tensors.filter(({ tensor }) => {
    const producer = producers.get(tensor);
    return isSelected(selection, {
      names: [tensor, ...producer === undefined ? [] : [producer.name]],
      operators: producer === undefined ? [] : [producer.op],
    });
  });
  if (tensors.length === 0) {
    throw nothingSelected(file, statistics.tensors.map(({ tensor }) => tensor));
  }
  const { text, summary } = statisticsReport({ ...statistics, tensors }, { width });
  const isDrawn = options.histogram || isSelective(selection) && tensors.length === 1;
  if (!isDrawn && error.length === 0) return { value: summary, text };
  const find = thresholdFinder(statistics, target, error);
  const found = tensors.map((entry) => ({ entry, thresholds: find(entry) }));
  const drawings = found.map(({ entry: { tensor, histogram }, thresholds }) => {
    const marks = thresholds.map((choice) => ({
      label: `${choice.method} ${short(choice.threshold)}: ${decibels(choice.sqnr)}, ${
        percent(choice.clippedFraction)
      } clipped`,
      values: gridEnds(choice),
    }));
    return `\n${tensor}\n${draw(histogram, marks, options)}`;
  });
  const thresholds = found.map(({ entry: { tensor }, thresholds }) => ({ tensor, thresholds }));
  return {
    value: { ...summary as object, thresholds },
    text: text + drawings.join(""),
  };
}

/** Decisions of a manifest; of a selected tensor with its histogram, where its statistics are at hand. */
export async function inspectManifest(
  host: Host,
  manifest: Manifest,
  options: TensorInspection,
): Promise<Inspection> {
  const { file, selection, width } = options;
  if (!isSelective(selection) && !options.histogram) {
    return { value: manifest, text: thresholdReport(manifest, { width }) };
  }
  const activations = manifest.activations.filter(({ tensor, producer, fused }) =>
    isSelected(selection, {
      names: [tensor, ...fused, ...producer === null ? [] : [producer.node]],
      operators: producer === null ? [] : [producer.op],
    })
  );
  const weights = manifest.weights.filter(({ tensor, node, op }) =>
    isSelected(selection, { names: [tensor, node], operators: [op] })
  );
  const float = manifest.float.filter(({ node, op }) =>
    isSelected(selection, { names: [node], operators: [op] })
  );
  if (activations.length + weights.length + float.length === 0) {
    throw nothingSelected(file, [
      ...manifest.activations.map(({ tensor }) => tensor),
      ...manifest.weights.map(({ tensor }) => tensor),
    ]);
  }
  const value = { activations, weights, float };
  const isDrawn = options.histogram || activations.length === 1;
  const statistics = isDrawn ? await statisticsOf(host, manifest, options) : undefined;
  const drawings = activations.map((entry) => {
    const histogram = statistics?.tensors.find(({ tensor }) => tensor === entry.tensor)?.histogram;
    if (histogram === undefined) return "";
    const marks = [{
      label: `${entry.method} ${short(entry.threshold)}`,
      values: gridEnds({ ...entry, levels: levelsOf(entry) }),
    }];
    return `\n${entry.tensor}\n${draw(histogram, marks, options)}`;
  }).join("");
  const isFew = activations.length <= 1 && weights.length <= 1 && float.length === 0;
  const text = isFew
    ? [...activations.map(activationFields), ...weights.map(weightFields)].join("\n")
    : thresholdReport(value, { width });
  return { value, text: text + drawings };
}

/**
 * The statistics that a manifest was decided from: those that the user names, or those beside it, if they are.
 *
 * @throws {PlimsollError} kind `usage` where named ones are of another calibration.
 */
async function statisticsOf(
  host: Host,
  manifest: Manifest,
  { file, statistics }: TensorInspection,
): Promise<Statistics | undefined> {
  const path = statistics ?? sibling(file, "statistics.plim");
  if (statistics === undefined && !await host.fileExists(path)) return undefined;
  const bytes = await host.readFile(path);
  const found = await sha256(bytes);
  if (found === manifest.statistics.sha256) return await readPlim(bytes, path);
  if (statistics === undefined) return undefined;
  throw new PlimsollError("usage", {
    action: `drawing histograms for ${JSON.stringify(file)}`,
    wanted: `statistics with SHA-256 ${manifest.statistics.sha256}, which it was decided from`,
    found: `${JSON.stringify(path)} with ${found}`,
    remedy: "Name the statistics of that calibration with --statistics",
  });
}

function draw(
  histogram: Parameters<typeof textHistogram>[0],
  marks: TextHistogramOptions["marks"],
  { width = DEFAULT_WIDTH, counts }: TensorInspection,
): string {
  return textHistogram(histogram, { width, scale: counts, marks });
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function decibels(sqnr: number | null): string {
  return sqnr === null ? "∞ dB" : `${sqnr.toFixed(1)} dB`;
}

function percent(part: number): string {
  return `${Number((100 * part).toPrecision(2))} %`;
}
