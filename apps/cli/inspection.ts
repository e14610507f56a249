/**
 * What the parts of `inspect` share.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";

/** What is shown: a plain value for `--json`, or text. */
export interface Inspection {
  readonly value: unknown;
  readonly text: string;
}

/** Nothing has this name: more often than not a typing error. */
export function nothingSelected(file: string, known: readonly string[]): PlimsollError {
  const shown = known.slice(0, 3).map((name) => JSON.stringify(name)).join(", ");
  return new PlimsollError("usage", {
    action: `selecting from ${file}`,
    wanted: "--name and --op to fit something",
    found: `nothing among ${known.length} names such as ${shown}`,
    remedy: "Look at all of it first; * stands for anything in a pattern",
  });
}
