/**
 * Rewrites of the model that need data, before the calibration.
 *
 * @module
 */
import type { Target } from "../../tpc/targets/target.ts";
import { learnRewrites, needsData } from "../learn_rewrites.ts";
import { type FloatModel, rewriteModel } from "../quantize.ts";
import type { Context } from "./context.ts";
import { loadSamples } from "./inputs.ts";
import type { DataOptions } from "./options.ts";
import type { ProgressPrinter } from "./progress.ts";

interface LearnInput extends Pick<Context, "host" | "signal"> {
  readonly target: Target;
  readonly options: DataOptions;
  readonly progress: ProgressPrinter;
  /** The calibration samples: all of them, whatever the shard, so that shards agree. */
  readonly path: string;
}

/** The model with the rewrites that its target wants; as it is where none of them needs data. */
export async function learn(
  float: FloatModel,
  { host, signal, target, options, progress, path }: LearnInput,
): Promise<FloatModel> {
  if (!needsData(target)) return float;
  const { samples, count } = await loadSamples(host, path, options, {
    onRead: progress.addBytes,
  });
  const pass = { model: float.prepared, target, batch: options.batch, total: count, signal };
  const rewrites = await learnRewrites(
    samples,
    { ...pass, onProgress: progress.report },
    float.rewrites,
  );
  return await rewriteModel(float, rewrites);
}
