/**
 * Loads models into the runtime, evaluates them, releases them.
 *
 * @module
 */
import { batchSizeFor, modelInputs } from "../inference/infer.ts";
import { createSession } from "../inference/default_runtime.ts";
import { SessionStack } from "../inference/session_stack.ts";
import type { OpenedSamples } from "../source/samples.ts";
import { evaluate, type ModelEvaluation, type NamedSession } from "./evaluate.ts";
import type { EvaluateVariantsOptions, NamedModel } from "./evaluate_variants.ts";

/** Evaluates models on the same samples; the first is the reference. */
export async function evaluateModels(
  models: readonly NamedModel[],
  { samples, count: total, classes = [] }: OpenedSamples,
  { batch, signal, onProgress, runtime }: Pick<
    EvaluateVariantsOptions,
    "batch" | "signal" | "onProgress" | "runtime"
  >,
): Promise<ModelEvaluation[]> {
  await using sessions = new SessionStack();
  try {
    const inputs = modelInputs(models[0].model.graph);
    const contestants: NamedSession[] = [];
    for (const { name, model } of models) {
      contestants.push({
        name,
        session: sessions.use(await createSession(model, { name, runtime })),
      });
    }
    return await evaluate(contestants, samples, {
      inputs,
      classes,
      total,
      signal,
      onProgress,
      batch: batchSizeFor(inputs, batch),
    });
  } catch (error) {
    if (!samples.locked) await samples.cancel(error).catch(() => {});
    throw error;
  }
}
