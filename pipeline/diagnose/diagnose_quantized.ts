/**
 * The diagnosis of what `quantize` made, with remedies.
 *
 * @module
 */
import type { Sample } from "../../core/tensor.ts";
import type { OnProgress } from "../../core/progress.ts";
import type { Runtime } from "../inference/runtime.ts";
import { fixedBatch, modelInputs } from "../inference/infer.ts";
import type { FloatModel } from "../quantize/float_model.ts";
import type { Quantization } from "../quantize/quantize.ts";
import type { SampleOpener } from "../source/samples.ts";
import { readCodes } from "../rounding/codes_file.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { type OutputLoss, outputLosses } from "./output_losses.ts";
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
  const kept: Sample[] = [];
  const { samples } = await opener.open();
  for await (const sample of samples) if (kept.push(sample) === LOSS_SAMPLES) break;
  const losses = await outputLosses(float.prepared, manifest, {
    samples: kept,
    runtime: pass.runtime,
    signal: pass.signal,
    onProgress: (done, total) => pass.onProgress?.({ stage: "losses", done, total }),
  });
  const known = new Set(diagnosis.tensors.map(({ tensor }) => tensor));
  const faults = diagnosis.tensors.filter(({ isFault }) => isFault).map(({ tensor }) => tensor);
  const measured = {
    ...diagnosis,
    losses,
    worst: [...new Set([...faults, ...worstOf(result, losses)])].filter((name) => known.has(name))
      .slice(0, Math.max(DEFAULT_WORST, remedies)),
  };
  if (remedies === 0) return measured;
  const tried = await tryRemedies(measured, {
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
  return { ...measured, remedies: tried };
}

/** Samples that every quantizer is run on alone. */
const LOSS_SAMPLES = 4;

/** Tensors by what their quantizers and the weights of the layers behind them cost. */
function worstOf({ manifest }: Quantization, losses: readonly OutputLoss[]): string[] {
  const tensorOf = new Map<string, string>();
  for (const { tensor, producer, fused } of manifest.activations) {
    for (const node of [producer?.node, ...fused]) {
      if (node !== undefined) tensorOf.set(node, tensor);
    }
  }
  const costs = new Map<string, number>();
  for (const { kind, name, loss } of losses) {
    const tensor = kind === "activation" ? name : tensorOf.get(name);
    if (tensor !== undefined) costs.set(tensor, (costs.get(tensor) ?? 0) + loss);
  }
  return [...costs].toSorted(([, a], [, b]) => b - a).map(([tensor]) => tensor);
}

/** As many samples as fill batches, of models that take no others. */
export function wholeBatches({ prepared }: Pick<FloatModel, "prepared">, samples: number): number {
  const size = fixedBatch(modelInputs(prepared.graph)) ?? 1;
  return Math.ceil(samples / size) * size;
}
