/**
 * What needs inference: calibration, alone or as the first half of a quantization.
 *
 * @module
 */
import { canonicalJson } from "../../core/canonical_json.ts";
import type { PlimsollError } from "../../core/errors.ts";
import { rewritesFor } from "../../tpc/targets/rewrites_for.ts";
import { calibrate } from "../../pipeline/passes/calibrate.ts";
import type { Sample } from "../../core/tensor.ts";
import { runConstants } from "../../pipeline/inference/session.ts";
import { needsData } from "../../pipeline/passes/learn_rewrites.ts";
import { quantize } from "../../pipeline/quantize/quantize.ts";
import { openPreparedSamples } from "../../pipeline/source/prepared_samples.ts";
import { writePlim } from "../../pipeline/statistics/plim.ts";
import { preprocessingOf, targetOf } from "./choices.ts";
import { chosenOf, edgeOperations, modelOf, quantizeStatistics } from "./edge_operations.ts";
import { MEDIA, type Operation, type OperationInput, type ResultFile } from "./operation.ts";
import { dataOptions, modelOptions, resultOptions, targetOptions } from "./options.ts";
import { Problem } from "./problem.ts";

/** Everything that a calibration needs, from a request. */
async function prepare(input: OperationInput) {
  const { options, limits, signal, onProgress, onNote } = input;
  const target = targetOf(options, onNote);
  if (needsData(target)) {
    throw new Problem(
      "usage",
      "The target wants rewrites that read the samples before calibration (equalization, shiftNegative), " +
        "but those of a request can be read once. Turn them off in the target, or use the command line.",
    );
  }
  const preprocessing = preprocessingOf(options);
  const float = await modelOf(input, rewritesFor(target), runConstants);
  const { stream, filename } = input.samples!;
  const prepared = await openPreparedSamples(stream, {
    ...{ preprocessing, name: "the samples", path: filename, onNote },
    format: options.dataFormat,
    inputShape: options.inputShape?.split(/[x×,]/).map(Number),
    limit: options.samples,
    byteLength: options.samplesBytes,
    maxPixels: Math.min(options.maxPixels ?? limits.maxPixels, limits.maxPixels),
    ...(options.onBroken === "skip"
      ? { onBroken: (error: PlimsollError) => onNote(`left out: ${error.message}`) }
      : {}),
  });
  const work = {
    ...{ target, signal, onProgress, total: prepared.count, batch: batchOf(input) },
    ...{ source: prepared.source, preprocessing: prepared.preprocessing },
    onNonFinite: options.onNonfinite,
    onSkip: (error: PlimsollError) => onNote(`left out: ${error.message}`),
  };
  return { float, samples: prepared.samples.pipeThrough(breathe()), work };
}

function batchOf({ options: { batch }, limits: { maxBatch } }: OperationInput): number | undefined {
  if (batch === undefined || batch <= maxBatch) return batch;
  throw new Problem(
    "usage",
    `While reading the options: wanted a batch of at most ${maxBatch}, found ${batch}. It changes no result.`,
  );
}

/** Most samples, and milliseconds, between two breaths. In workerd no time passes while code runs. */
const BREATH_SAMPLES = 8;
const BREATH_MS = 20;

/**
 * Lets others take their turn. Where a body comes fast, inference and preprocessing alone would keep timers, other
 * requests and the news that the client is gone waiting to the end.
 */
function breathe(): TransformStream<Sample, Sample> {
  let [count, since] = [0, performance.now()];
  return new TransformStream(
    {
      transform: async (sample, controller) => {
        if (++count >= BREATH_SAMPLES || performance.now() - since > BREATH_MS) {
          await new Promise((resolve) => setTimeout(resolve, 0));
          [count, since] = [0, performance.now()];
        }
        controller.enqueue(sample);
      },
    },
    undefined,
    { highWaterMark: 0 },
  );
}

async function calibration(input: OperationInput): Promise<ResultFile[]> {
  const { float, samples, work } = await prepare(input);
  const statistics = await calibrate(samples, {
    ...work,
    ...{ model: float.prepared, modelSha256: float.sha256, rewrites: float.rewrites },
  });
  return [{ ...MEDIA.statistics, bytes: await writePlim(statistics) }];
}

async function quantization(input: OperationInput): Promise<ResultFile[]> {
  if (input.samples === undefined) return await quantizeStatistics(input, runConstants);
  const { float, samples, work } = await prepare(input);
  const { model, manifest, statistics } = await quantize(float, samples, work);
  const text = new TextEncoder().encode(canonicalJson(manifest));
  return chosenOf(input, { model, statistics, manifest: text });
}

/** All operations. */
export function allOperations(): Operation[] {
  const model = { name: "model", description: "The float ONNX model" } as const;
  const samples = {
    name: "samples",
    description:
      "Calibration samples as a stream: tar, zip, npy, IDX, NDJSON or raw float32, plain or gzip; " +
      "the last part",
  } as const;
  const [search, emit, fromStatistics] = edgeOperations(runConstants);
  return [
    {
      path: "/v1/calibrate",
      summary: "Stream samples through a model and collect the statistics of its activations",
      parts: [model, samples],
      options: { ...targetOptions, ...dataOptions, ...modelOptions },
      results: [MEDIA.statistics],
      run: calibration,
    },
    search,
    emit,
    {
      ...fromStatistics,
      summary: "Quantize a model from samples or statistics",
      parts: [model, { ...samples, orElse: "statistics" }, {
        name: "statistics",
        description: "A statistics file (.plim), in place of samples",
        orElse: "samples",
      }],
      options: { ...targetOptions, ...dataOptions, ...modelOptions, ...resultOptions },
      run: quantization,
    },
  ];
}
