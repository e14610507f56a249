/**
 * Rewrites of the model that need data, before the calibration.
 *
 * @module
 */
import type { Target } from "../../tpc/targets/target.ts";
import { learnModel } from "../../pipeline/quantize/learn_model.ts";
import type { FloatModel } from "../../pipeline/quantize/quantize.ts";
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
  const open = async () => {
    const { samples, count } = await loadSamples(host, path, options, {
      onRead: progress.addBytes,
    });
    return { samples, total: count };
  };
  const { batch } = options;
  return await learnModel(float, target, open, { batch, signal, onProgress: progress.report });
}
