/**
 * The diagnosis of what `quantize` made, with remedies.
 *
 * @module
 */
import type { OnProgress } from "../../core/progress.ts";
import type { Runtime } from "../inference/runtime.ts";
import { fixedBatch, modelInputs } from "../inference/infer.ts";
import type { FloatModel } from "../quantize/float_model.ts";
import type { Quantization } from "../quantize/quantize.ts";
import type { SampleOpener } from "../source/samples.ts";
import { readCodes } from "../rounding/codes_file.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { DEFAULT_WORST, diagnose } from "./diagnose.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { tryRemedies } from "./try_remedies.ts";

/** What {@linkcode diagnoseQuantized} needs besides the result. */
export interface DiagnoseQuantizedOptions {
  /** Those that the result was decided from. */
  readonly statistics: Statistics;
  /** Samples to look at, as many as are wanted; see {@linkcode wholeBatches}. */
  readonly opener: SampleOpener;
  /** What they are: evaluation samples where there are some, which the thresholds don't know. */
  readonly data: Diagnosis["data"];
  /** Of the worst tensors, how many remedies are tried for. */
  readonly remedies: number;
  /** Where models run; the default runtime when absent. */
  readonly runtime?: Runtime;
  /** Samples per inference run, by default by their size. */
  readonly batch?: number;
  /** Told after every batch. */
  readonly onProgress?: OnProgress;
  /** Stops before the next batch. */
  readonly signal?: AbortSignal;
}

/** Compares layers on the first samples, then tries what would help the worst ones. */
export async function diagnoseQuantized(
  result: Quantization,
  { statistics, opener, data, remedies, ...pass }: DiagnoseQuantizedOptions,
): Promise<Diagnosis> {
  const { manifest, float, target, emitted } = result;
  const codes = result.codes &&
    await readCodes(result.codes, { manifest, model: float.prepared, name: "codes.bin" });
  const first = await opener.open();
  const diagnosis = await diagnose(
    float.prepared,
    emitted,
    first.samples,
    { ...pass, data, total: first.count, worst: Math.max(DEFAULT_WORST, remedies) },
  );
  if (remedies === 0) return diagnosis;
  const tried = await tryRemedies(diagnosis, {
    ...pass,
    statistics,
    target,
    manifest,
    codes,
    tensors: remedies,
    open: () => opener.open(),
    model: float.prepared,
    original: float.original,
  });
  return { ...diagnosis, remedies: tried };
}

/** As many samples as fill batches, of models that take no others. */
export function wholeBatches({ prepared }: Pick<FloatModel, "prepared">, samples: number): number {
  const size = fixedBatch(modelInputs(prepared.graph)) ?? 1;
  return Math.ceil(samples / size) * size;
}
