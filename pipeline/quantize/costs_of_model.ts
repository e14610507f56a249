/**
 * What the kernels of a model take, from the model and a few samples.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { type Recipe, resolveRecipe } from "../../tpc/recipe/recipe.ts";
import type { CostsFile } from "../plan/costs_file.ts";
import type { MeasureOptions } from "../profile/measure_kernels.ts";
import { profileCosts } from "../profile/profile_costs.ts";
import type { SampleOpener } from "../source/samples.ts";
import { floatReference } from "../verdict/verdict.ts";
import type { FloatModel } from "./float_model.ts";
import { withEverything } from "./plan_loop.ts";
import { calibrateFor, rewriteModel } from "./quantize.ts";

/** Samples that are enough to measure by: they change no time. */
export const COSTS_SAMPLES = 4;

/** How {@linkcode costsOfModel} runs. */
export interface CostsOptions extends MeasureOptions {
  /** Samples per inference run of the calibration, by default by their size. */
  readonly batch?: number;
}

/**
 * Measures the kernels of a model, with floats and with everything on integers that the target can have so.
 *
 * @param opener A few samples: their shapes matter, and that grids can be chosen from them.
 * @throws {PlimsollError} what `quantize` throws, and kind `data` where there is no sample.
 */
export async function costsOfModel(
  original: FloatModel,
  wished: Recipe,
  opener: SampleOpener,
  { runs, runtime, signal, batch, onProgress }: CostsOptions = {},
): Promise<CostsFile> {
  const recipe = withEverything(wished);
  const { statistics, kept } = await calibrateFor(original, recipe, opener, {
    runtime,
    signal,
    batch,
    onEvent: (event) => event.kind === "progress" ? onProgress?.(event.progress) : undefined,
  });
  const float = await rewriteModel(original, statistics.rewrites, runtime);
  const { runs: [first] } = await floatReference(float, { samples: kept, runtime, signal });
  if (first === undefined) {
    throw new PlimsollError("data", {
      action: "measuring what the kernels of a model take",
      wanted: "at least one sample, or a batch where the model's is fixed",
      found: `${kept.length}`,
      remedy: "Give data with more samples",
    });
  }
  return await profileCosts(
    {
      model: float.prepared,
      sha256: float.sha256,
      statistics,
      target: resolveRecipe(recipe).target,
      feeds: first.feeds,
    },
    { runs, runtime, signal, onProgress },
  );
}
