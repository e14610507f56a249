/** What is missing on average, where it counts. */
import assert from "node:assert/strict";
import { MeanError } from "../../../pipeline/sequential/mean_error.ts";

Deno.test("without bounds the shift is the mean of what is missing, a tenth of a vote against it", () => {
  const error = new MeanError(2, { low: -Infinity, high: Infinity });
  error.add([1, 2, 3, 10, 10, 10], [0, 1, 2, 12, 12, 12], 3);
  error.add([1, 2, 3, 10, 10, 10], [0, 1, 2, 12, 12, 12], 3);
  assert.deepEqual([...error.shifts()].map((x) => Math.round(x * 1.1 * 1e9) / 1e9), [1, -2]);
});

Deno.test("what an activation function clips says nothing, and a channel that is always clipped stays", () => {
  const error = new MeanError(2, { low: 0, high: 6 });
  // The first channel: one active element that lacks 1, two that are far below zero in both.
  error.add([2, -50, -70, -1, -1, -1], [1, -10, -10, -9, -9, 8], 3);
  const [first, second] = error.shifts();
  assert.ok(Math.abs(first - 1 / 1.3) < 1e-12, `${first}`);
  assert.equal(second, 0);
});
