/**
 * Which samples of a stream have the least SHA-256: positions instead of samples, so that parts can be gathered where the
 * samples aren't wanted.
 *
 * @module
 */
import { mapStream } from "../../core/map_stream.ts";
import type { OnProgress } from "../../core/progress.ts";
import type { Sample } from "../../core/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import { tokenFitter } from "../inference/fit_tokens.ts";
import { modelInputs } from "../inference/model_inputs.ts";
import { hashSample, isHeldOut } from "../statistics/held_out.ts";

/** A sample by its SHA-256, hexadecimal, and its position. */
export type HashedSample = readonly [hash: string, index: number];

/** What {@linkcode gatherLeast} needs. */
export interface LeastOptions {
  /** The prepared model: samples are hashed as they are run, so that padding chooses no others. */
  readonly model: Model;
  /** Most samples that are wanted. */
  readonly most: number;
  /** Whether only held-out samples are. */
  readonly isHeldOut: boolean;
  readonly total?: number;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** Samples between two times that it is told how far they are. */
const STRIDE = 64;

/**
 * The samples of the least SHA-256, in its order.
 *
 * @param isEnough Asked now and then; true ends the pass there.
 */
export async function gatherLeast(
  samples: ReadableStream<Sample>,
  { model, most, isHeldOut: isPicky, total, onProgress, signal }: LeastOptions,
  isEnough: () => boolean = () => false,
): Promise<HashedSample[]> {
  let kept: HashedSample[] = [];
  let done = 0;
  const fitted = samples.pipeThrough(mapStream(tokenFitter(modelInputs(model.graph))));
  const enough = new AbortController();
  const sink = new WritableStream<Sample>({
    write: async (sample) => {
      const hash = await hashSample(sample);
      if (!isPicky || isHeldOut(hash)) {
        kept = mergeLeast([kept, [[toHex(hash), sample.index]]], most);
      }
      if (++done % STRIDE !== 0) return;
      onProgress?.({ stage: "ranges", done, total });
      if (isEnough()) enough.abort();
    },
  });
  await fitted.pipeTo(sink, { signal: AbortSignal.any([enough.signal, ...signal ? [signal] : []]) })
    .catch((error) => {
      if (!enough.signal.aborted || signal?.aborted) throw error;
    });
  onProgress?.({ stage: "ranges", done, total });
  return kept;
}

/** Those of all parts together; of equal samples the first ones. */
export function mergeLeast(
  parts: readonly (readonly HashedSample[])[],
  most: number,
): HashedSample[] {
  return parts.flat()
    .sort(([a, i], [b, j]) => a === b ? i - j : a < b ? -1 : 1)
    .slice(0, most);
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
