/**
 * Held-out samples, gathered from a stream.
 *
 * @module
 */
import type { Sample } from "../../core/tensor.ts";
import { isHeldOut } from "../statistics/held_out.ts";
import { leastSamples } from "./least_samples.ts";

/**
 * Up to `most` held-out samples, whatever the order of the stream.
 *
 * @param samples Consumed; no more than `most` are kept.
 */
export async function heldOutSamples(
  samples: ReadableStream<Sample>,
  most: number,
  signal?: AbortSignal,
): Promise<Sample[]> {
  return await leastSamples(samples, most, { isWanted: isHeldOut, signal });
}
