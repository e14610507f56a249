/**
 * Held-out samples, gathered from a stream.
 *
 * @module
 */
import type { Sample } from "../../core/tensor.ts";
import { hashSample, isHeldOut } from "../statistics/held_out.ts";

/**
 * Up to `most` held-out samples: those of the least SHA-256, in its order, so that neither the order of the samples
 * nor shards matter.
 *
 * @param samples Consumed; no more than `most` are kept.
 */
export async function heldOutSamples(
  samples: ReadableStream<Sample>,
  most: number,
  signal?: AbortSignal,
): Promise<Sample[]> {
  let kept: { hash: Uint8Array; sample: Sample }[] = [];
  const sink = new WritableStream<Sample>({
    write: async (sample) => {
      const hash = await hashSample(sample);
      if (!isHeldOut(hash)) return;
      kept.push({ hash, sample });
      kept = kept.sort((a, b) => compareBytes(a.hash, b.hash)).slice(0, most);
    },
  });
  await samples.pipeTo(sink, { signal });
  return kept.map(({ sample }) => sample);
}

/** Order of equally long lists of bytes, the first byte first. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const i = a.findIndex((byte, j) => byte !== b[j]);
  return i < 0 ? 0 : a[i] - b[i];
}
