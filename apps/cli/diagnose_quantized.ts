/**
 * The diagnosis of what `quantize` made, with remedies.
 *
 * @module
 */
import { emitModel } from "../../tpc/emission/emit.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { DEFAULT_WORST, diagnose } from "../../pipeline/diagnose/diagnose.ts";
import type { Diagnosis } from "../../pipeline/diagnose/diagnosis.ts";
import { tryRemedies } from "../../pipeline/diagnose/try_remedies.ts";
import { outlineInputs } from "../../onnx/graph/outline.ts";
import { batchSizeFor } from "../../pipeline/inference/infer.ts";
import type { FloatModel, Quantization } from "../../pipeline/quantize/quantize.ts";
import { readCodes } from "../../pipeline/rounding/codes_file.ts";
import type { Statistics } from "../../pipeline/statistics/statistics.ts";
import type { Context } from "./context.ts";
import {
  DEFAULT_DIAGNOSE_REMEDIES,
  DEFAULT_DIAGNOSE_SAMPLES,
  type DiagnoseCommandOptions,
} from "./diagnose_options.ts";
import { loadSamples } from "./inputs.ts";
import type { DataOptions } from "./options.ts";
import type { ProgressPrinter } from "./progress.ts";

interface DiagnoseInput extends Pick<Context, "host" | "signal"> {
  readonly statistics: Statistics;
  readonly target: Target;
  readonly options: DataOptions & DiagnoseCommandOptions & { readonly model?: string };
  readonly progress: ProgressPrinter;
  /** Samples to look at: evaluation samples where there are some, which the thresholds don't know. */
  readonly path: string;
  readonly data: Diagnosis["data"];
}

/** Compares layers on the first samples, then tries what would help the worst ones. */
export async function diagnoseQuantized(
  float: FloatModel,
  result: Quantization,
  { host, signal, statistics, target, options, progress, path, data }: DiagnoseInput,
): Promise<Diagnosis> {
  const { batch, diagnoseSamples, diagnoseRemedies: remedies = DEFAULT_DIAGNOSE_REMEDIES } =
    options;
  const { manifest } = result;
  const samples = wholeBatches(float, diagnoseSamples ?? DEFAULT_DIAGNOSE_SAMPLES);
  const open = () =>
    loadSamples(host, path, { ...options, samples }, { onRead: progress.addBytes });
  const codes = result.codes &&
    await readCodes(result.codes, { manifest, model: float.prepared, name: "codes.bin" });
  const first = await open();
  const pass = { batch, signal, onProgress: progress.report };
  const diagnosis = await diagnose(
    float.prepared,
    emitModel(float.prepared, manifest, codes),
    first.samples,
    { ...pass, data, total: first.count, worst: Math.max(DEFAULT_WORST, remedies) },
  );
  if (remedies === 0) return diagnosis;
  const tried = await tryRemedies(diagnosis, {
    ...{ ...pass, statistics, target, manifest, codes, open, tensors: remedies },
    model: float.prepared,
    original: float.original,
  });
  return { ...diagnosis, remedies: tried };
}

/** As many samples as fill batches, of models that take no others. */
export function wholeBatches({ prepared }: Pick<FloatModel, "prepared">, samples: number): number {
  const size = batchSizeFor(outlineInputs(prepared.graph), 1);
  return Math.ceil(samples / size) * size;
}
