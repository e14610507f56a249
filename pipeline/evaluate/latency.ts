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
  const times = await timesInTurns(sessions, feeds, signal);
  return times.map(median);
}

/**
 * Time of one model as part of another's: the median over turns, in each of which both see the same machine.
 *
 * @param signal Checked before every run.
 */
export async function latencyRatio(
  other: InferenceSession,
  session: InferenceSession,
  feeds: ReadonlyMap<string, InputTensor>,
  signal?: AbortSignal,
): Promise<number> {
  const [others, own] = await timesInTurns([other, session], feeds, signal);
  return median(own.map((time, i) => time / others[i]));
}

async function timesInTurns(
  sessions: readonly InferenceSession[],
  feeds: ReadonlyMap<string, InputTensor>,
  signal: AbortSignal | undefined,
): Promise<number[][]> {
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
  return times;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
