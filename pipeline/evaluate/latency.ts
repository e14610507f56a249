/**
 * How long models take for one sample, side by side.
 *
 * @module
 */
import type { InputTensor } from "../../core/tensor.ts";
import type { InferenceSession } from "../inference/runtime.ts";

/** Runs of each model: as many as fit into the time, but not fewer and not more than these. */
const [MIN_ROUNDS, MAX_ROUNDS, MAX_MS] = [11, 201, 2000];

/**
 * Median milliseconds of each model. Models take turns, so that all see the same machine; the first runs, which
 * allocate memory, don't count.
 *
 * @param signal Checked before every run.
 */
export async function measureLatency(
  sessions: readonly InferenceSession[],
  feeds: ReadonlyMap<string, InputTensor>,
  signal?: AbortSignal,
): Promise<number[]> {
  const times = sessions.map((): number[] => []);
  const start = performance.now();
  const isEnough = (round: number) =>
    round > MAX_ROUNDS || round > MIN_ROUNDS && performance.now() - start > MAX_MS;
  for (let round = 0; !isEnough(round); round++) {
    for (const [i, session] of sessions.entries()) {
      signal?.throwIfAborted();
      const before = performance.now();
      await session.run(feeds, [session.outputs[0]]);
      if (round > 0) times[i].push(performance.now() - before);
    }
  }
  return times.map((list) => list.sort((a, b) => a - b)[list.length >> 1]);
}
