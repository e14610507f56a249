/**
 * The body of a request, watched: so many bytes and no more, and none too late.
 *
 * @module
 */
import { deferred } from "../../core/deferred.ts";
import type { Limits } from "./limits.ts";
import { Problem } from "./problem.ts";

/**
 * Passes a body on as it is asked for; nothing is read ahead.
 *
 * @param signal Lets go of the body at once, also while a byte is waited for.
 * @returns A stream that fails with a {@linkcode Problem}: `too-large`, `stalled`, or `aborted` when the client is gone.
 */
export function watchBody(
  body: ReadableStream<Uint8Array>,
  { maxBodyBytes, maxStallSeconds }: Pick<Limits, "maxBodyBytes" | "maxStallSeconds">,
  signal: AbortSignal,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  let count = 0;
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await inTime(reader.read(), maxStallSeconds);
      if (done) return controller.close();
      count += value.byteLength;
      if (count > maxBodyBytes) throw tooLarge("a body", maxBodyBytes);
      controller.enqueue(value as Uint8Array<ArrayBuffer>);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });

  async function inTime<T>(reading: Promise<T>, seconds: number): Promise<T> {
    const over = deferred<never>();
    const stop = () => over.reject(signal.reason);
    const timer = setTimeout(
      () => over.reject(new Problem("stalled", `No byte came for ${seconds} s. Send faster.`)),
      seconds * 1000,
    );
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      return await Promise.race([reading, over.promise]);
    } catch (error) {
      // The source must not go on while nobody listens.
      reader.cancel(error).catch(() => {});
      if (error instanceof Problem || signal.aborted) throw error;
      throw new Problem("aborted", "The body ended before it was whole. Send it again.");
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }
}

/** The problem of something with more bytes than a limit. */
export function tooLarge(what: string, limit: number): Problem {
  return new Problem(
    "too-large",
    `While reading the body: wanted ${what} of at most ${limit} bytes, found more. Send less, or raise the limit of this server.`,
  );
}
