/**
 * A stage that turns each chunk into another one.
 *
 * @module
 */

/**
 * A transform stream that holds back: it takes a chunk in only when somebody waits for its result,
 * apart from the one that the writable side may hold (streams standard, default high-water marks of
 * 1 and 0). A chain of k such stages therefore has at most k + 1 chunks in flight.
 *
 * @param map Makes the output chunk; may be asynchronous. When it throws, the pipe fails.
 *
 * @example
 * ```ts
 * import { mapStream } from "./map_stream.ts";
 * import assert from "node:assert/strict";
 *
 * const squares = ReadableStream.from([1, 2, 3]).pipeThrough(mapStream((x: number) => x * x));
 * assert.deepEqual(await Array.fromAsync(squares), [1, 4, 9]);
 * ```
 */
export function mapStream<A, B>(map: (chunk: A) => B | Promise<B>): TransformStream<A, B> {
  return new TransformStream<A, B>({
    transform: async (chunk, controller) => controller.enqueue(await map(chunk)),
  });
}
