/**
 * A stream of values that are here already: `ReadableStream.from`, which not every browser has.
 *
 * @module
 */

/** Gives the values one by one, when they are asked for. */
export function streamOf<T>(values: Iterable<T>): ReadableStream<T> {
  const iterator = values[Symbol.iterator]();
  return new ReadableStream<T>({
    pull: (controller) => {
      const { done, value } = iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  }, { highWaterMark: 0 });
}
