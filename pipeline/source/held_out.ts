/**
 * Samples that a calibration doesn't see.
 *
 * @module
 */
import type { Sample } from "../../core/tensor.ts";

/**
 * The samples behind the calibration's limit.
 *
 * @param limit Samples that the calibration takes.
 * @param count Most samples that are wanted.
 * @param open Opens the first `limit` samples of the data, without those that `skip` says.
 */
export async function samplesBehind(
  limit: number,
  count: number,
  open: (
    limit: number,
    skip: (index: number) => boolean,
  ) => Promise<{ readonly samples: ReadableStream<Sample> }>,
): Promise<Sample[]> {
  const { samples } = await open(limit + count, (index) => index < limit);
  const kept: Sample[] = [];
  await samples.pipeTo(new WritableStream({ write: (sample) => void kept.push(sample) }));
  return kept;
}
