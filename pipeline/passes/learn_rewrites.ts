/**
 * Rewrites that need data: a pass of samples finds out how far the activations reach.
 *
 * @module
 */
import { powerOfTwoAtLeast } from "../../core/grid.ts";
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { Sample } from "../../core/tensor.ts";
import { gatherReach, type Reach } from "./gather_reach.ts";
import type { PassOptions } from "./stream_activations.ts";

/**
 * Largest part of the positive side that the negative side of a tensor may have to be shifted. MCT's
 * `shift_negative_ratio` is 0.05; HardSwish and SiLU on small activations have more and gain as much.
 */
const SHIFT_RATIO = 0.25;

/** Whether a target wants rewrites that need a pass over the samples. */
export function needsData({ rewrites }: Target): boolean {
  return rewrites?.equalization === true || rewrites?.shiftNegative === true;
}

/**
 * Streams samples through the model and completes its rewrites with those of the target that need data.
 *
 * @param options With the model as `rewrites` has made it.
 * @param rewrites Those that were applied already.
 */
export async function learnRewrites(
  samples: ReadableStream<Sample>,
  options: PassOptions,
  rewrites: Rewrites,
): Promise<Rewrites> {
  return completeRewrites(rewrites, options.target, await gatherReach(samples, options));
}

/** Rewrites with those of the target that need data, by what a pass of ranges has seen. */
export function completeRewrites(
  rewrites: Rewrites,
  target: Target,
  { maxima, ranges }: Reach,
): Rewrites {
  const minima = [...ranges].filter(([_, [min, max]]) => min < 0 && -min <= SHIFT_RATIO * max)
    // By a power of two, so that zero, which many elements are, stays on the grid: 2 dB on PaddleOCR's classifier.
    .map(([tensor, [min]]) => [tensor, -powerOfTwoAtLeast(-min)]);
  return {
    ...rewrites,
    ...(target.rewrites?.equalization
      ? { equalization: Object.fromEntries([...maxima].map(([name, list]) => [name, [...list]])) }
      : {}),
    ...(minima.length > 0 ? { shiftNegative: Object.fromEntries(minima) } : {}),
  };
}
