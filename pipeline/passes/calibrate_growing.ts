/**
 * Calibration that begins in this thread and takes workers in where what is left is worth them.
 *
 * @module
 */
import { NoSampleError } from "../../core/no_sample_error.ts";
import type { Progress } from "../../core/progress.ts";
import { shareStream } from "../../core/share_stream.ts";
import type { Sample } from "../../core/tensor.ts";
import { mergeStatistics } from "../statistics/merge_statistics.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { calibrateInWorkers, type StartWorker } from "../workers/pool.ts";
import { calibrateHere, type CalibrateHereOptions } from "./calibrate_here.ts";

/** What {@linkcode calibrateGrowing} needs. */
export interface CalibrateGrowingOptions extends CalibrateHereOptions {
  readonly startWorker: StartWorker;
  /** Workers that this machine has room for beside this thread; asked once. */
  readonly room: () => number;
}

/** Milliseconds of work here before anything is known of its speed. */
const LOOK_MS = 1000;
/** What a worker takes to begin, in times of what this thread took: it loads its code as well. */
const START_FACTOR = 2;

/**
 * The same as `calibrateHere`, faster where there is much to do. A second of work here tells how long the rest would
 * take; each worker that saves more than it takes to begin is started, and gets samples from the same stream.
 */
export async function calibrateGrowing(
  samples: ReadableStream<Sample>,
  options: CalibrateGrowingOptions,
): Promise<Statistics> {
  const branch = shareStream(samples);
  const failed = new AbortController();
  const signal = AbortSignal.any([failed.signal, ...options.signal ? [options.signal] : []]);
  const begun = performance.now();
  let first: { readonly at: number; readonly done: number } | undefined;
  let isDecided = false;
  let others: Promise<Statistics | undefined> = Promise.resolve(undefined);
  const done = [0, 0];
  const report = (part: number) => (progress: Progress) => {
    done[part] = progress.done;
    options.onProgress?.({ ...progress, done: done[0] + done[1] });
  };
  const onProgress = (progress: Progress) => {
    report(0)(progress);
    const now = performance.now();
    first ??= { at: now, done: progress.done };
    if (isDecided || now - first.at < LOOK_MS) return;
    isDecided = true;
    const each = (now - first.at) / (progress.done - first.done);
    // Of a stream without end as much may come as came.
    const left = (options.total ?? 2 * progress.done) - progress.done;
    const workers = worthwhile(left * each, START_FACTOR * (first.at - begun), options.room());
    if (workers === 0) return;
    others = calibrateInWorkers(branch(), {
      ...options,
      workers,
      signal,
      onProgress: report(1),
    }).catch((error) => {
      if (error instanceof NoSampleError) return undefined;
      failed.abort(error);
      throw error;
    });
    // Looked at below; until then it is nobody's.
    others.catch(() => {});
  };
  try {
    const own = await calibrateHere(branch(), { ...options, signal, onProgress });
    const rest = await others;
    return rest === undefined ? own : mergeStatistics([own, rest]);
  } catch (error) {
    failed.abort(error);
    await others.catch(() => {});
    throw error;
  }
}

/**
 * Workers, up to `room`, of which each saves more than it takes to begin.
 *
 * @param left Milliseconds that this thread alone would take for the rest.
 * @param start Milliseconds that a worker takes to begin.
 */
function worthwhile(left: number, start: number, room: number): number {
  let workers = 0;
  // n threads take left/n, one more saves left/n − left/(n + 1).
  while (workers < room && left / ((workers + 1) * (workers + 2)) > start) workers++;
  return workers;
}
