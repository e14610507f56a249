/**
 * One streaming pass of samples through the float model: source → batch → inference → observer.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { Model } from "../../onnx/file/model.ts";
import { TensorProto_DataType } from "../../onnx/file/onnx_pb.ts";
import { type GraphOutline, outlineGraph } from "../../onnx/graph/outline.ts";
import { type FloatNode, isIdle, type Watched } from "../../tpc/placement/types.ts";
import { withoutPlan } from "../../tpc/placement/overrides.ts";
import { resolve } from "../../tpc/placement/resolve.ts";
import { presetTarget, TARGET_NAMES } from "../../tpc/targets/read_target.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { freeBuffers } from "../../core/free_buffers.ts";
import { NoSampleError } from "../../core/no_sample_error.ts";
import type { OnProgress } from "../../core/progress.ts";
import type { OnTime } from "../../core/timing.ts";
import type { InferredBatch, InputTensor, Sample } from "../../core/tensor.ts";
import { watchedFor } from "../search/placement.ts";
import { batchSizeFor, exposeTensors, inferBatches, modelInputs } from "../inference/infer.ts";
import { paddingCropper } from "../inference/crop_padding.ts";
import { createSession } from "../inference/default_runtime.ts";
import { tokenFitter } from "../inference/fit_tokens.ts";
import type { Runtime } from "../inference/runtime.ts";
import { batchSamples } from "../source/batches.ts";

/** What a pass needs. */
export interface PassOptions {
  /** The prepared float model. */
  readonly model: Model;
  /** Decides which tensors are watched. */
  readonly target: Target;
  /** Samples per inference run, by default by their size. Changes speed and memory, never a result. */
  readonly batch?: number;
  /** Number of samples to come, for progress. */
  readonly total?: number;
  /** Told after every batch. */
  readonly onProgress?: OnProgress;
  /** Told how long inference and the observer took for a batch. */
  readonly onTime?: OnTime;
  /** Stops all stages. */
  readonly signal?: AbortSignal;
  /** Where the model runs; the default runtime when absent. */
  readonly runtime?: Runtime;
}

/**
 * Sees each batch with the watched activations, whose memory is taken away afterwards. Returns true when it has seen
 * enough.
 */
export type Observe = (batch: InferredBatch) => Promise<boolean> | boolean;

/** Nodes that a message names. */
const SHOWN_NODES = 5;

/** Reason by which an observer that has seen enough stops the stages. */
const ENOUGH = new Error("enough samples");

/**
 * Streams samples through the model with every tensor exposed that the target quantizes. All passes
 * expose the same tensors, since what is exposed decides the last bits of the activations.
 *
 * @param stage What progress calls this pass.
 * @param start Called once with the watched tensors and the outline of the model; gives the observer.
 * @returns Outline of the model and number of samples seen.
 * @throws {PlimsollError} kinds `model` (nothing to quantize), `data` (wrong shape, no sample), `runtime`.
 */
export async function streamActivations(
  samples: ReadableStream<Sample>,
  options: PassOptions,
  stage: string,
  start: (watched: Watched, outline: GraphOutline) => Promise<Observe>,
): Promise<{ outline: GraphOutline; samples: number }> {
  const { model, target, total, onProgress, onTime, signal } = options;
  try {
    const outline = outlineGraph(model.graph);
    const inputs = modelInputs(model.graph);
    const placement = resolve(outline, withoutPlan(target));
    const watched = watchedFor(outline, target);
    if (isIdle(placement)) throw nothingToQuantize(target, placement.float, model);
    const observe = await start(watched, outline);
    const exposed = [
      ...new Set([...watched.tensors, ...watched.layers.map(({ tensor }) => tensor)]),
    ];
    await using session = await createSession(exposeTensors(model, exposed), {
      name: "the float model",
      runtime: options.runtime,
    });
    const crop = paddingCropper(inputs);
    const enough = new AbortController();
    let done = 0;
    const sink = new WritableStream<InferredBatch>({
      write: async (batch) => {
        const before = performance.now();
        let isEnough = false;
        const parts = crop(batch);
        for (const part of parts) isEnough = await observe(part) || isEnough;
        // Megabytes that are looked at once; what comes next takes their place.
        freeBuffers(
          [batch, ...parts].flatMap(({ outputs }) => dataOf(outputs)),
          [batch, ...parts].flatMap(({ batch: { inputs } }) => dataOf(inputs)),
        );
        onTime?.("observe", performance.now() - before);
        done += batch.batch.samples.length;
        onProgress?.({ stage, done, total: isEnough ? done : total });
        if (isEnough) enough.abort(ENOUGH);
      },
    });
    await samples
      .pipeThrough(batchSamples(batchSizeFor(inputs, options.batch), tokenFitter(inputs)))
      .pipeThrough(inferBatches(session, inputs, exposed, onTime))
      .pipeTo(sink, { signal: AbortSignal.any([enough.signal, ...signal ? [signal] : []]) })
      .catch((error) => {
        if (error !== ENOUGH) throw error;
      });
    if (done === 0) throw new NoSampleError(stage);
    return { outline, samples: done };
  } catch (error) {
    // Before the pipe stands, nothing else would tell the source to let go of its files.
    if (!samples.locked) await samples.cancel(error).catch(() => {});
    throw error;
  }
}

/** What tensors hold. */
function dataOf(tensors: ReadonlyMap<string, InputTensor>): ArrayBufferView[] {
  return Array.from(tensors.values(), ({ data }) => data);
}

/** Precisions of weights that stay as they are; whole numbers are sizes and indices, and say nothing. */
const OTHER_PRECISIONS: readonly number[] = [
  TensorProto_DataType.FLOAT16,
  TensorProto_DataType.BFLOAT16,
  TensorProto_DataType.DOUBLE,
];
/** How reasons begin that a user has asked for. */
const BY_OVERRIDE = "left float by the override";

function nothingToQuantize(
  target: Target,
  float: readonly FloatNode[],
  { graph }: Model,
): PlimsollError {
  const nodes = [...new Set(float.map(({ op, reason }) => `${op} (${reason})`))];
  const types = graph.initializer.map(({ dataType }) => dataType);
  const isOther = types.some((type) => OTHER_PRECISIONS.includes(type)) &&
    !types.includes(TensorProto_DataType.FLOAT);
  const isByOverride = float.some(({ reason }) => reason.startsWith(BY_OVERRIDE));
  const { activations, weightOnly } = target.layers ?? {};
  const how = weightOnly !== undefined
    ? option("weightOnly", weightOnly)
    : activations === "dynamic"
    ? option("activation", activations)
    : undefined;
  return new PlimsollError("model", {
    action: "looking for tensors to quantize",
    wanted: `an operator that target ${target.name} quantizes`,
    found: (nodes.length === 0 ? "none" : `only ${nodes.slice(0, SHOWN_NODES).join(", ")}`) +
      (isOther ? ", and no weights of float32" : ""),
    remedy: isOther
      ? "Export the model in float32, float16 or float64: others aren't quantized"
      : how !== undefined && !isByOverride
      ? `Leave ${how} out, or give another model`
      : isByOverride
      ? `Leave out an ${option("override")} that keeps nodes float, or let it match fewer of them`
      : `Give another model or ${option("target")}${othersFor(target, float)}`,
  });
}

/** Presets that quantize operators which a target has no kernels for, as advice. */
function othersFor({ name, operatorSets }: Target, float: readonly FloatNode[]): string {
  const quantizes = (sets: Target["operatorSets"], op: string) =>
    sets.some(({ use, operators }) => use === "quantized" && operators.includes(op));
  const missing = float.filter(({ op }) => !quantizes(operatorSets, op));
  const names = TARGET_NAMES.filter((other) =>
    other !== name && missing.some(({ op }) => quantizes(presetTarget(other)!.operatorSets, op))
  );
  return names.length === 0 ? "" : `: ${names.join(", ")} quantize some of these operators`;
}
