/**
 * What a calibration tells those who keep its statistics while it runs.
 *
 * @module
 */
import type { Statistics } from "./statistics.ts";

/** What is told of a calibration on its way. */
export interface CalibrationHooks {
  /** After a batch; `statistics` gives those so far. Holds the next batch back until it is done. */
  readonly afterBatch?: (samples: number, statistics: () => Promise<Statistics>) => Promise<void>;
  /** When the signal has aborted and the batch at hand is done, with the statistics so far. */
  readonly onAbort?: (statistics: Statistics) => Promise<void>;
}
