/**
 * Memory that isn't left to the garbage collector.
 *
 * @module
 */

/**
 * Gives back what arrays hold, at once: they are empty afterwards. A collector sees small objects and lets the megabytes
 * behind them lie until it runs. Where a host can't (ES2024), they are left to it.
 *
 * @param kept Arrays whose memory stays, whichever others share it.
 *
 * @example
 * ```ts
 * import { freeBuffers } from "./free_buffers.ts";
 * import assert from "node:assert/strict";
 *
 * const [a, b] = [new Float32Array(4), new Float32Array(4)];
 * freeBuffers([a, b], [b]);
 * assert.equal(b.length, 4);
 * ```
 */
export function freeBuffers(
  arrays: Iterable<ArrayBufferView>,
  kept: Iterable<ArrayBufferView> = [],
): void {
  const buffers = new Set(Array.from(arrays, ({ buffer }) => buffer));
  for (const { buffer } of kept) buffers.delete(buffer);
  for (const buffer of buffers) {
    (buffer as { transfer?(length: number): unknown }).transfer?.(0);
  }
}
