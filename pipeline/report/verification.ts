/**
 * Result of a verification as text, or an error.
 *
 * @module
 */
import type { Verified } from "../passes/second_pass.ts";
import { PlimsollError } from "../../core/errors.ts";

/**
 * One line when every reported error was confirmed.
 *
 * @throws {PlimsollError} kind `data`, naming the tensors whose errors were not.
 */
export function verificationReport(checked: readonly Verified[]): string {
  const wrong = checked.filter(({ isWithin }) => !isWithin);
  if (wrong.length > 0) {
    throw new PlimsollError("data", {
      action: "verifying the reported errors by a second pass",
      wanted: "every error within its bounds",
      found: wrong.map(({ tensor, reported, found }) =>
        `${found} for ${reported} of ${JSON.stringify(tensor)}`
      )
        .join(", "),
      remedy:
        "Check that the data did not change between the passes; if they didn't, report this as a defect",
    });
  }
  const deviations = checked.map(({ reported, found }) =>
    found === reported ? 0 : Math.abs(found / reported - 1)
  );
  return `verified: ${checked.length} errors within their bounds, largest deviation ` +
    `${Math.max(0, ...deviations).toExponential(1)}`;
}
