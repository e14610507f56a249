/**
 * What `compare` writes.
 *
 * @module
 */
import { canonicalJson } from "../../core/canonical_json.ts";
import type { Comparison } from "../../pipeline/compare/comparison.ts";
import type { FileContent } from "../../core/host.ts";
import { withLatencies, withReports } from "../../pipeline/plan/plan.ts";
import { VERSION } from "../../core/version.ts";
import type { FloatModel } from "../../pipeline/quantize/float_model.ts";
import type { Quantization } from "../../pipeline/quantize/quantize.ts";
import type { RunDescription } from "../../pipeline/report/page/data.ts";
import { reportPage } from "../../pipeline/report/page/render.ts";
import { readPlim } from "../../pipeline/statistics/plim.ts";
import type { LeftOut, PlannedVariant } from "./compare_variants.ts";

/** Bytes of a model, with those of weights beside it. */
export function bytesOf(
  { file, weights }: { file: Uint8Array; weights: readonly Uint8Array[] },
): number {
  return weights.reduce((sum, { length }) => sum + length, file.length);
}

/** Name of the statistics of a pass. */
export function statisticsName(pass: number, count: number): string {
  return count === 1 ? "statistics.plim" : `statistics-${pass + 1}.plim`;
}

/** Files of all variants and passes, by path. */
export function filesOf(
  out: string,
  planned: readonly PlannedVariant[],
  results: readonly Quantization[],
  statistics: readonly Uint8Array<ArrayBuffer>[],
): Map<string, FileContent> {
  const files = new Map<string, FileContent>();
  for (const [i, { model, weights, codes, manifest, plan }] of results.entries()) {
    const folder = `${out}/${planned[i].folder}`;
    files.set(`${folder}/model.onnx`, model);
    if (weights.length > 0) files.set(`${folder}/model.onnx.data`, weights);
    if (codes) files.set(`${folder}/codes.bin`, codes);
    if (plan) files.set(`${folder}/plan.json`, canonicalJson(plan));
    files.set(`${folder}/manifest.json`, canonicalJson(manifest));
  }
  const [{ plan, sensitivity }] = results;
  if (sensitivity) files.set(`${out}/sensitivity.json`, canonicalJson(sensitivity));
  if (plan?.costs) files.set(`${out}/costs.json`, canonicalJson(plan.costs));
  statistics.forEach((file, pass) =>
    files.set(`${out}/${statisticsName(pass, statistics.length)}`, file)
  );
  return files;
}

/** The report of each variant, with the accuracy of all. */
export async function reportsOf(
  out: string,
  planned: readonly PlannedVariant[],
  results: readonly Quantization[],
  { title, comparison, statistics, run, latencies }: {
    readonly title: string;
    readonly comparison: Comparison;
    readonly statistics: readonly Uint8Array<ArrayBuffer>[];
    readonly run: RunDescription;
    /** Of each result, part of the float model's time. */
    readonly latencies: readonly number[];
  },
): Promise<Map<string, string>> {
  const passes = await Promise.all(
    statistics.map((file, pass) => readPlim(file, statisticsName(pass, statistics.length))),
  );
  const reports = planned.map(({ folder }) => `../${folder}/report.html`);
  return new Map(results.map(({ manifest, pass, plan }, i) => [
    `${out}/${planned[i].folder}/report.html`,
    reportPage({
      title: `${title}: ${planned[i].name}`,
      manifest,
      statistics: passes[pass],
      run,
      evaluation: comparison.models,
      ...(plan && { plan: withReports(withLatencies(plan, latencies), reports) }),
    }),
  ]));
}

/** The comparison as `comparison.json` has it: no time and no machine. */
export function describeComparison({
  float,
  planned,
  leftOut,
  source,
  comparison,
  quantized,
  statistics: passes,
}: {
  readonly float: FloatModel;
  readonly planned: readonly PlannedVariant[];
  readonly leftOut: readonly LeftOut[];
  readonly source: string;
  readonly comparison: Comparison;
  readonly quantized: readonly Quantization[];
  readonly statistics: readonly Uint8Array<ArrayBuffer>[];
}) {
  const { models: [reference, ...models], best } = comparison;
  return {
    schemaVersion: 1,
    tool: { name: "plimsoll", version: VERSION },
    model: { sha256: float.sha256 },
    data: quantized[0].manifest.data,
    evaluation: {
      source,
      difference: "top-1 minus that of the other model on the same labelled samples",
      interval: "95 %, Tango's score interval for the difference of paired proportions",
      p: "exact McNemar test, two-sided; isDistinct: p < 0.05",
    },
    float: reference,
    variants: models.map((model, i) => {
      const { folder, settings } = planned[i];
      const { manifest, pass, plan } = quantized[i];
      const statistics = statisticsName(pass, passes.length);
      const { predicted, measured } = plan?.rounds[plan.chosen] ?? {};
      return {
        ...model,
        folder,
        settings,
        statistics,
        target: manifest.target,
        ...(plan && { plan: { measure: plan.measure, predicted, measured } }),
      };
    }),
    best,
    leftOut,
  };
}
