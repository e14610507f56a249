/**
 * The rest of a stream that somebody reads already.
 *
 * @module
 */

/**
 * What a stream is made of that goes on where a reader is: each item is read when it is asked for, and cancelling cancels
 * what is read.
 *
 * @example
 * ```ts
 * import { readerSource } from "./reader_source.ts";
 * import assert from "node:assert/strict";
 *
 * const reader = new Response("abc").body!.getReader();
 * const rest = new ReadableStream(readerSource(reader), { highWaterMark: 0 });
 * assert.equal(await new Response(rest).text(), "abc");
 * ```
 */
export function readerSource<T>(reader: ReadableStreamDefaultReader<T>) {
  return {
    pull: async (controller: ReadableStreamDefaultController<T>): Promise<void> => {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason: unknown): Promise<void> => reader.cancel(reason),
  };
}
