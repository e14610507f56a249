/**
 * Which samples are held out of the choice of thresholds.
 *
 * It is decided by their content, so that order, batches and shards don't matter.
 *
 * @module
 */
import { digest } from "../../core/hash.ts";
import { inputsOf, type Sample } from "../../core/tensor.ts";

/** Samples whose SHA-256 begins with a byte below this are held out: one in eight. */
const HELD_OUT_BELOW = 32;

/** Whether the sample of this SHA-256 is held out. */
export function isHeldOut(hash: Uint8Array): boolean {
  return hash[0] < HELD_OUT_BELOW;
}

/** SHA-256 of the numbers of a sample, one input after the other in the order of their names. */
export function hashSample(sample: Sample): Promise<Uint8Array> {
  const parts = inputsOf(sample).sort(([a], [b]) => a < b ? -1 : 1).map(([_, { data }]) =>
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  );
  if (parts.length === 1) return digest(parts[0]);
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return digest(all);
}
