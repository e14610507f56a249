/**
 * Progress of long work, as events for whoever draws them.
 *
 * @module
 */

/** State of one stage of work. */
export interface Progress {
  /** What is being done: `calibrate`, `evaluate`. */
  readonly stage: string;
  /** Samples done. */
  readonly done: number;
  /** Samples in all, when known. */
  readonly total?: number;
  /** Of work that is spread over machines: shards at work now, done, and in all. */
  readonly parts?: { readonly workers: number; readonly done: number; readonly all: number };
  /** Of a calibration: thresholds in all, and those that still move, when somebody looks at them. */
  readonly thresholds?: { readonly moving: number; readonly all: number };
}

/** Receives progress. Must not throw. */
export type OnProgress = (progress: Progress) => void;

/** Progress of one of several passes of a stage: each has its own name, so that its clock starts anew. */
export function numbered(
  onProgress: OnProgress | undefined,
  number: number,
  count: number,
): OnProgress | undefined {
  if (onProgress === undefined || count === 1) return onProgress;
  return (progress) => onProgress({ ...progress, stage: `${progress.stage} ${number}/${count}` });
}
