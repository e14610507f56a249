/**
 * Loads models into the runtime, evaluates them, releases them.
 *
 * @module
 */
import type { Model } from "../../onnx/file/model.ts";
import { outlineInputs } from "../../onnx/graph/outline.ts";
import {
  type Contestant,
  evaluate,
  type ModelEvaluation,
} from "../../pipeline/evaluate/evaluate.ts";
import { batchSizeFor } from "../../pipeline/inference/infer.ts";
import { createSession } from "../../pipeline/inference/session.ts";
import { SessionStack } from "../../pipeline/inference/session_stack.ts";
import type { LoadedSamples } from "./inputs.ts";
import type { ProgressPrinter } from "./progress.ts";

/** Evaluates models on the same samples; the first is the reference. */
export async function evaluateModels(
  models: readonly { readonly name: string; readonly model: Model }[],
  { samples, count: total, classes }: LoadedSamples,
  options: { batch?: number; signal: AbortSignal; progress: ProgressPrinter },
): Promise<ModelEvaluation[]> {
  const { signal, progress } = options;
  await using sessions = new SessionStack();
  try {
    const inputs = outlineInputs(models[0].model.graph);
    const contestants: Contestant[] = [];
    for (const { name, model } of models) {
      contestants.push({ name, session: sessions.use(await createSession(model, { name })) });
    }
    const batch = batchSizeFor(inputs, options.batch);
    return await evaluate(contestants, samples, {
      ...{ inputs, batch, classes, total, signal },
      onProgress: progress.report,
    });
  } catch (error) {
    if (!samples.locked) await samples.cancel(error).catch(() => {});
    throw error;
  }
}
