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
}

/** Receives progress. Must not throw. */
export type OnProgress = (progress: Progress) => void;
