/**
 * Remedies, tried: each change alone becomes a whole quantized model, the one that `--override` would give, and is
 * measured by its outputs.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { emitModel } from "../../tpc/emission/emit.ts";
import type { WeightCodes } from "../../tpc/emission/insert_qdq.ts";
import type { Model } from "../../onnx/file/model.ts";
import { addOverrides } from "../../tpc/targets/read_target.ts";
import { numbered, type OnProgress } from "../../core/progress.ts";
import type { Sample } from "../../core/tensor.ts";
import { evaluate, type ModelEvaluation } from "../evaluate/evaluate.ts";
import { batchSizeFor, modelInputs } from "../inference/infer.ts";
import { createSession } from "../inference/default_runtime.ts";
import { SessionStack } from "../inference/session_stack.ts";
import type { Runtime } from "../inference/runtime.ts";
import { type Candidate, candidatesFor } from "./candidates.ts";
import type { Diagnosis, Remedies, Remedy } from "./diagnosis.ts";
import { type DecidedInput, redecider } from "./redecide.ts";

/** Quantized models that are measured side by side, from one pass over the samples. */
const OPEN_SESSIONS = 8;

/** What {@linkcode tryRemedies} needs. */
export interface TryOptions extends DecidedInput {
  /** The float model as it was given: what outputs are compared with. */
  readonly original: Model;
  /** Codes of weights that aren't rounded to the nearest ones. */
  readonly codes?: WeightCodes;
  /** Of the worst tensors, how many are tried. */
  readonly tensors: number;
  /** Opens the samples, always the same ones. */
  readonly open: () => Promise<{
    readonly samples: ReadableStream<Sample>;
    readonly count?: number;
  }>;
  /** Where models run; the default runtime when absent. */
  readonly runtime?: Runtime;
  /** Samples per inference run, by default by their size. */
  readonly batch?: number;
  /** Told after every batch. */
  readonly onProgress?: OnProgress;
  /** Stops before the next model or batch. */
  readonly signal?: AbortSignal;
}

/**
 * Tries what might help the worst tensors of a diagnosis. Changes that the target doesn't allow, and those that need
 * statistics which there aren't, are left out.
 */
export async function tryRemedies(
  { tensors, worst }: Pick<Diagnosis, "tensors" | "worst">,
  options: TryOptions,
): Promise<Remedies> {
  const { model, manifest, codes } = options;
  const chosen = worst.slice(0, options.tensors).map((name) =>
    tensors.find(({ tensor }) => tensor === name)!
  );
  const decideAgain = await redecider(options);
  const changes = [() => emitModel(model, manifest, codes)];
  const candidates: Candidate[] = [];
  for (const candidate of candidatesFor(chosen, options)) {
    const changed = await allowed(() =>
      decideAgain(addOverrides(options.target, [candidate.override]))
    );
    if (changed === undefined) continue;
    candidates.push(candidate);
    changes.push(() => emitModel(model, changed, codes));
  }
  const [current, ...results] = await measure(changes, options);
  const tried = candidates.map((candidate, i): Remedy => {
    const { sqnr, agreement, top1 } = results[i];
    const gain = sqnr === null || current.sqnr === null ? null : sqnr - current.sqnr;
    return { ...candidate, sqnr, gain, agreement, top1 };
  });
  const rank = ({ sqnr }: Remedy) => sqnr ?? Infinity;
  return {
    current: { sqnr: current.sqnr, agreement: current.agreement, top1: current.top1 },
    tried: tried.sort((a, b) => rank(b) - rank(a)),
  };
}

/** What the target refuses is undefined. */
async function allowed<T>(decide: () => Promise<T>): Promise<T | undefined> {
  try {
    return await decide();
  } catch (error) {
    if (error instanceof PlimsollError && error.kind === "target") return undefined;
    throw error;
  }
}

/** Evaluates models, a few at a time, each time beside the float model. */
async function measure(
  models: readonly (() => Model)[],
  { original, open, signal, onProgress, runtime, ...options }: TryOptions,
): Promise<ModelEvaluation[]> {
  const inputs = modelInputs(original.graph);
  const results: ModelEvaluation[] = [];
  const turns = Math.ceil(models.length / OPEN_SESSIONS);
  for (let turn = 0; turn < turns; turn++) {
    await using sessions = new SessionStack();
    const opened = [{
      name: "float",
      session: sessions.use(await createSession(original, { name: "the float model", runtime })),
    }];
    for (const make of models.slice(turn * OPEN_SESSIONS, (turn + 1) * OPEN_SESSIONS)) {
      signal?.throwIfAborted();
      const name = "a remedy";
      opened.push({
        name,
        session: sessions.use(await createSession(make(), { name, runtime })),
      });
    }
    const { samples, count: total } = await open();
    const report = numbered(onProgress, turn + 1, turns);
    const [, ...found] = await evaluate(opened, samples, {
      inputs,
      total,
      signal,
      batch: batchSizeFor(inputs, options.batch),
      onProgress: report && ((progress) => report({ ...progress, stage: "remedies" })),
    });
    results.push(...found);
  }
  return results;
}
