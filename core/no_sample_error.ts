/**
 * The error of a pass that saw no sample.
 *
 * @module
 */
import { PlimsollError } from "./errors.ts";
import { option } from "./option_words.ts";

/** No sample came. A run that was resumed at its end may take it for the end, and a worker of many, too. */
export class NoSampleError extends PlimsollError {
  /** @param stage What the pass is called. */
  constructor(stage: string) {
    super("data", {
      action: `streaming samples (${stage})`,
      wanted: "at least one sample",
      found: "none",
      remedy: `Give data with samples, a larger ${option("samples")}, or fewer shards`,
    });
  }
}
