/**
 * Evaluation: several models over one stream of samples.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { OnProgress } from "../../core/progress.ts";
import type { Batch, Sample, Tensor } from "../../core/tensor.ts";
import { feedsFor, type ModelInput } from "../inference/infer.ts";
import { paddingCropper } from "../inference/crop_padding.ts";
import { tokenFitter } from "../inference/fit_tokens.ts";
import { runBatch } from "../inference/run_batch.ts";
import type { InferenceSession } from "../inference/runtime.ts";
import { batchSamples, type BatchSize } from "../source/batches.ts";
import { addOutput, type OutputFigures, type OutputSums } from "./output_figures.ts";
import { addSample, emptyMetrics, type Metrics } from "./metrics.ts";

/** One model to evaluate. */
export interface NamedSession {
  readonly name: string;
  readonly session: InferenceSession;
}

/** Result of one model; plain JSON. */
export interface ModelEvaluation {
  /** What the model is called. */
  readonly name: string;
  /** Samples that it ran on. */
  readonly samples: number;
  /** Part of the labelled samples, null without labels. */
  readonly top1: number | null;
  /** Part of the labelled samples, null without labels. */
  readonly top5: number | null;
  /** Mean cross-entropy over the labelled samples, in nats; null without labels, or where it is infinite. */
  readonly loss: number | null;
  /** Part of the samples with the same class as the first model. */
  readonly agreement: number;
  /** Of the output that lost most against the first model's, in dB; null when all are equal. */
  readonly sqnr: number | null;
  /** Cosine between the outputs and the first model's, the mean over samples. */
  readonly cosine: number;
  /** Every output against the first model's; none for the first model itself. */
  readonly outputs: readonly OutputFigures[];
  /** Of each class that has labelled samples: how many, and how many of them are right. */
  readonly classes: readonly {
    readonly label: number;
    readonly name: string;
    readonly samples: number;
    readonly top1: number;
  }[];
}

/** Options of {@linkcode evaluate}. */
export interface EvaluateOptions {
  /** Inputs of the models. */
  readonly inputs: readonly ModelInput[];
  /** Samples per run, or how many of samples like the first one of a batch. */
  readonly batch: BatchSize;
  /** Names of the classes, by label. */
  readonly classes?: readonly string[];
  readonly total?: number;
  readonly onProgress?: OnProgress;
  /** Told for every labelled sample which models were right, in their order. */
  readonly onHits?: (hits: readonly boolean[]) => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs every model on the same batches, the first being the reference. All outputs are compared; labels, agreement and
 * loss are about the first one of floats, which is taken for [batch, classes].
 *
 * @throws {PlimsollError} kind `data` when samples don't fit or there are none, or outputs are NaN or infinite in one model
 * only.
 */
export async function evaluate(
  sessions: readonly NamedSession[],
  samples: ReadableStream<Sample>,
  options: EvaluateOptions,
): Promise<ModelEvaluation[]> {
  const { inputs, classes = [], signal } = options;
  const crop = paddingCropper(inputs);
  const metrics = sessions.map(emptyMetrics);
  const sums = sessions.map(() => new Map<string, OutputSums>());
  const sink = new WritableStream<Batch>({
    write: async (batch) => {
      const feeds = feedsFor(batch, inputs);
      const found: Map<string, Tensor>[] = [];
      for (const { session } of sessions) {
        found.push(await runBatch(session, feeds, session.outputs, batch.samples.length));
      }
      const parts = found.map((outputs) => crop({ batch, outputs }));
      parts[0].forEach(({ batch: part, outputs: reference }, p) => {
        const all = parts.map((own) => own[p].outputs);
        all.slice(1).forEach((outputs, i) => addOutputs(sums[i + 1], reference, outputs, part));
        addBatch(metrics, all.map(scoresOf), part, options.onHits);
      });
      const odd = metrics.findIndex(({ noise }) => !Number.isFinite(noise));
      if (odd >= 0) throw notFinite(sessions[odd].name, batch.samples.map(({ id }) => id));
      options.onProgress?.({ stage: "evaluate", done: metrics[0].samples, total: options.total });
    },
  }, { highWaterMark: 1 });
  await samples.pipeThrough(batchSamples(options.batch, tokenFitter(inputs))).pipeTo(sink, {
    signal,
  });
  if (metrics[0].samples === 0) {
    throw new PlimsollError("data", {
      action: "evaluating",
      wanted: "at least one sample",
      found: "none",
      remedy: `Give data with samples, or a larger ${option("samples")}`,
    });
  }
  return sessions.map(({ name }, i) => summarise(name, metrics[i], sums[i], classes));
}

/** The first output of floats; of none, whatever there is. */
function scoresOf(outputs: ReadonlyMap<string, Tensor>): Float32Array {
  const all = [...outputs.values()].map(({ data }) => data);
  return all.find((data) => data instanceof Float32Array) ?? Float32Array.from(all[0], Number);
}

/** Outputs by name, or by place where another model calls them otherwise. */
function addOutputs(
  sums: Map<string, OutputSums>,
  reference: ReadonlyMap<string, Tensor>,
  found: ReadonlyMap<string, Tensor>,
  { samples }: Batch,
): void {
  const list = [...found.values()];
  [...reference].forEach(([name, float], i) => {
    const other = found.get(name) ?? list[i];
    if (other === undefined || other.data.length !== float.data.length) return;
    addOutput(sums, name, [float, other], samples.length);
  });
}

function notFinite(name: string, ids: readonly string[]): PlimsollError {
  const which = ids.length === 1 ? "" : ` to ${JSON.stringify(ids.at(-1))}`;
  return new PlimsollError("data", {
    action: `comparing ${name} with the first model on ${JSON.stringify(ids[0])}${which}`,
    wanted: "finite outputs",
    found: "NaN or infinity from one of the two",
    remedy: `Check these samples and the preprocessing; ${option("batch", 1)} names the sample`,
  });
}

function addBatch(
  metrics: readonly Metrics[],
  scores: readonly Float32Array[],
  batch: Batch,
  onHits: EvaluateOptions["onHits"],
): void {
  const size = batch.samples.length;
  const row = (values: Float32Array, i: number) => {
    const length = values.length / size;
    return values.subarray(i * length, (i + 1) * length);
  };
  batch.samples.forEach(({ label }, i) => {
    const hits = metrics.map((entry, m) =>
      addSample(entry, row(scores[m], i), row(scores[0], i), label)
    );
    if (label !== undefined) onHits?.(hits as boolean[]);
  });
}

function summarise(
  name: string,
  metrics: Metrics,
  sums: ReadonlyMap<string, OutputSums>,
  classes: readonly string[],
): ModelEvaluation {
  const { samples, labelled } = metrics;
  const outputs = [...sums.values()].map((entry) => entry.figures());
  const part = (hits: number) => labelled === 0 ? null : hits / labelled;
  const known = outputs.flatMap(({ sqnr }) => sqnr === null ? [] : [sqnr]);
  const loss = part(metrics.loss);
  return {
    name,
    samples,
    top1: part(metrics.top1),
    top5: part(metrics.top5),
    loss: loss !== null && Number.isFinite(loss) ? loss : null,
    agreement: metrics.agreement / samples,
    sqnr: known.length === 0 ? null : Math.min(...known),
    cosine: metrics.cosine / samples,
    outputs,
    classes: [...metrics.byClass].sort(([a], [b]) => a - b).map(([label, entry]) => ({
      label,
      name: classes[label] ?? `class ${label}`,
      ...entry,
    })),
  };
}
