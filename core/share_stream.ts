/**
 * One stream for several readers, each item for one of them.
 *
 * @module
 */
import { readerSource } from "./reader_source.ts";

/**
 * Hands a stream out in branches that are read on demand: an item goes to the branch that asked first. Cancelling one
 * cancels the stream.
 *
 * @param stream Locked from now on.
 *
 * @example
 * ```ts
 * import { shareStream } from "./share_stream.ts";
 * import assert from "node:assert/strict";
 *
 * const branch = shareStream(new Response("abc").body!);
 * const [a, b] = [branch().getReader(), branch().getReader()];
 * assert.equal((await a.read()).done, false);
 * assert.equal((await b.read()).done, true);
 * ```
 */
export function shareStream<T>(stream: ReadableStream<T>): () => ReadableStream<T> {
  const reader = stream.getReader();
  return () =>
    // A reader keeps its questions in order.
    new ReadableStream<T>(readerSource(reader), { highWaterMark: 0 });
}
