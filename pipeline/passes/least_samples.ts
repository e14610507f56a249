/**
 * A few samples of a stream, whatever its order: those of the least SHA-256.
 *
 * @module
 */
import type { Sample } from "../../core/tensor.ts";
import { hashSample } from "../statistics/held_out.ts";

/**
 * Up to `most` samples that `isWanted` takes, those of the least SHA-256, in its order, so that neither the order of the
 * samples nor shards matter.
 *
 * @param samples Consumed; no more than `most` are kept.
 */
export async function leastSamples(
  samples: ReadableStream<Sample>,
  most: number,
  { isWanted = () => true, signal }: {
    readonly isWanted?: (hash: Uint8Array) => boolean;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Sample[]> {
  let kept: { hash: Uint8Array; sample: Sample }[] = [];
  const sink = new WritableStream<Sample>({
    write: async (sample) => {
      const hash = await hashSample(sample);
      if (!isWanted(hash)) return;
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
