/**
 * How many workers share a calibration.
 *
 * @module
 */

/** A number of them, or as many as are worth it. */
export type WorkerCount = number | "auto";

/** Whether more than one was asked for: then nothing is done in the thread that asks. */
export function isSeveral(workers: WorkerCount): boolean {
  return workers !== "auto" && workers > 1;
}
