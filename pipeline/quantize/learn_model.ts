/**
 * A float model with the rewrites that need data.
 *
 * @module
 */
import type { Target } from "../../tpc/targets/target.ts";
import type { Sample } from "../../core/tensor.ts";
import { learnRewrites, needsData } from "../passes/learn_rewrites.ts";
import { type FloatModel, rewriteModel } from "./quantize.ts";
import type { PassOptions } from "../passes/stream_activations.ts";

/** The model with the rewrites that its target wants; as it is, and nothing opened, where none of them needs data. */
export async function learnModel(
  float: FloatModel,
  target: Target,
  open: () => Promise<{ readonly samples: ReadableStream<Sample>; readonly total?: number }>,
  options: Pick<PassOptions, "batch" | "onProgress" | "signal">,
): Promise<FloatModel> {
  if (!needsData(target)) return float;
  const { samples, total } = await open();
  const pass = { model: float.prepared, target, total, ...options };
  return await rewriteModel(float, await learnRewrites(samples, pass, float.rewrites));
}
