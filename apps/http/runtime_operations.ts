/**
 * What needs inference: calibration, alone or as the first half of a quantization.
 *
 * @module
 */
import { canonicalJson } from "../../core/canonical_json.ts";
import type { PlimsollError } from "../../core/errors.ts";
import type { Sample } from "../../core/tensor.ts";
import type { Runtime } from "../../pipeline/inference/runtime.ts";
import { calibrateFor, quantizeAll, type RunOptions } from "../../pipeline/quantize/quantize.ts";
import type { SampleOpener } from "../../pipeline/source/samples.ts";
import { modelInputs } from "../../pipeline/inference/model_inputs.ts";
import { impliedPreprocessing } from "../../pipeline/source/implied_preprocessing.ts";
import { openPreparedSamples } from "../../pipeline/source/prepared_samples.ts";
import { preprocessingOf, recipeOf } from "./choices.ts";
import { chosenOf, edgeOperations, modelOf, quantizeStatistics } from "./edge_operations.ts";
import { MEDIA, type Operation, type OperationInput, type ResultFile } from "./operation.ts";
import { dataOptions, modelOptions, resultOptions, targetOptions } from "./options.ts";
import { Problem } from "./problem.ts";
import { spendingModel } from "./spent_model.ts";

/** Everything that a calibration needs, from a request. */
async function prepare(input: OperationInput, runtime: Runtime) {
  const { options, limits, signal, onProgress, onNote } = input;
  const { recipe } = recipeOf(options, onNote);
  const float = await modelOf(input, {}, runtime.runConstants);
  const implied = impliedPreprocessing(modelInputs(float.original.graph));
  const preprocessing = preprocessingOf(options, implied);
  const { stream, filename } = input.samples!;
  const prepared = await openPreparedSamples(stream, {
    preprocessing,
    name: "the samples",
    path: filename,
    onNote,
    format: options.dataFormat,
    inputShape: options.inputShape?.split(/[x×,]/).map(Number),
    limit: options.samples,
    byteLength: options.samplesBytes,
    maxPixels: Math.min(options.maxPixels ?? limits.maxPixels, limits.maxPixels),
    ...(options.onBroken === "skip"
      ? { onBroken: (error: PlimsollError) => onNote(`left out: ${error.message}`) }
      : {}),
  });
  const samples = prepared.samples.pipeThrough(breathe());
  const opener: SampleOpener = {
    isOneShot: true,
    open: () => Promise.resolve({ ...prepared, samples }),
  };
  const work: RunOptions = {
    signal,
    runtime,
    batch: batchOf(input),
    onNonFinite: options.onNonfinite,
    onSkip: (error) => onNote(`left out: ${error.message}`),
    onEvent: (event) => {
      if (event.kind === "progress") onProgress?.(event.progress);
      if (event.kind === "note") onNote(event.text);
      if (event.kind !== "made") return;
      for (const { output, what } of event.result.verdict?.lost ?? []) {
        onNote(`this model lost what it is for: ${output}: ${what}`);
      }
    },
  };
  return { float, recipe, opener, work };
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

async function calibration(input: OperationInput, runtime: Runtime): Promise<ResultFile[]> {
  const { float, recipe, opener, work } = await prepare(input, runtime);
  const spending = spendingModel(runtime, input.files.get("model")!);
  const { file } = await calibrateFor(float, recipe, opener, { ...work, runtime: spending });
  return [{ ...MEDIA.statistics, bytes: file }];
}

async function quantization(input: OperationInput, runtime: Runtime): Promise<ResultFile[]> {
  if (input.samples === undefined) return await quantizeStatistics(input, runtime.runConstants);
  const { float, recipe, opener, work } = await prepare(input, runtime);
  const [{ model, manifest, statistics }] = await quantizeAll(float, [recipe], opener, work);
  const text = new TextEncoder().encode(canonicalJson(manifest));
  return chosenOf(input, { model, statistics, manifest: text });
}

/** All operations, on a runtime. */
export function allOperations(runtime: Runtime): Operation[] {
  const model = { name: "model", description: "The float ONNX model" } as const;
  const samples = {
    name: "samples",
    description:
      "Calibration samples as a stream: tar, zip, npy, IDX, NDJSON or raw float32, plain or gzip; " +
      "the last part",
  } as const;
  const [search, emit, fromStatistics] = edgeOperations(runtime.runConstants);
  return [
    {
      path: "/v1/calibrate",
      summary: "Stream samples through a model and collect the statistics of its activations",
      parts: [model, samples],
      options: { ...targetOptions, ...dataOptions, ...modelOptions },
      results: [MEDIA.statistics],
      run: (input) => calibration(input, runtime),
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
      run: (input) => quantization(input, runtime),
    },
  ];
}
