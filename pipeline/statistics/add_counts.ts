/**
 * Sums of counts that stay exact.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";

/**
 * Adds counts up.
 *
 * @param what What is counted, for the message.
 * @throws {PlimsollError} kind `data` beyond 2^53 − 1, from where on a double skips integers.
 */
export function addCounts(counts: readonly number[], what: string): number {
  const sum = counts.reduce((a, b) => a + b, 0);
  if (Number.isSafeInteger(sum)) return sum;
  throw tooMany(`fewer than 2^53 ${what}`, `${sum}`);
}

/**
 * Refuses sums of channels that their file can't hold.
 *
 * @throws {PlimsollError} kind `data`.
 */
export function checkSums(sums: readonly bigint[], tensor: string): void {
  const odd = sums.find((sum) => BigInt.asIntN(128, sum) !== sum);
  if (odd === undefined) return;
  throw tooMany(`sums of ${JSON.stringify(tensor)} that 128 bits hold`, `${odd}`);
}

function tooMany(wanted: string, found: string): PlimsollError {
  return new PlimsollError("data", {
    action: "adding up statistics",
    wanted,
    found,
    remedy: `Merge fewer files, or calibrate on part of the samples with ${option("samples")}`,
  });
}
