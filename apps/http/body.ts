/**
 * The body of a request, watched: so many bytes and no more, and none too late.
 *
 * @module
 */
import { deferred } from "../../core/deferred.ts";
import type { Limits } from "./limits.ts";
import { Problem } from "./problem.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes a second that a client must send while others wait. */
const LEAST_BYTES_PER_SECOND = 2 ** 10;
/** Bytes that are read while their request waits for its turn: enough to see that somebody is there. */
const AHEAD_BYTES = 2 ** 16;
/** Bytes of a refused body that are read and dropped, and the time for it: clients hear nothing while they send. */
const MAX_DROPPED_BYTES = 2 ** 28;
const MAX_DROPPED_MS = 5000;

/** What a body is watched by. */
export interface WatchOptions {
  readonly limits: Pick<Limits, "maxBodyBytes" | "maxStallSeconds">;
  /** Lets go of the body at once, also while a byte is waited for. */
  readonly signal: AbortSignal;
  /** Whether others wait: then whoever trickles is too slow, too. */
  readonly isContended: () => boolean;
  /** Told what it fails with, also while nobody reads it. */
  readonly onFail: (error: unknown) => void;
}

/** A body on its way. */
export interface WatchedBody {
  /** What comes. Fails with a {@linkcode Problem}: `too-large`, `stalled`, or `aborted` when the client is gone. */
  readonly stream: ReadableStream<Bytes>;
  /** Reads what is left and drops it; see {@linkcode dropBody}. */
  readonly drop: () => Promise<void>;
}

/**
 * Passes a body on, with 64 KiB read ahead: so it is known of a request that waits whether its client still sends.
 *
 * A client has patience for {@linkcode Limits.maxStallSeconds}, uses it up while it is waited for, and earns it again with
 * what it sends. Alone it may be as slow as it likes, as long as a byte comes now and then.
 */
export function watchBody(
  body: ReadableStream<Uint8Array>,
  { limits: { maxBodyBytes, maxStallSeconds }, signal, isContended, onFail }: WatchOptions,
): WatchedBody {
  const reader = body.getReader();
  let count = 0;
  let patience = maxStallSeconds;
  // Nobody wants the rest, while a piece may be on its way already.
  let isOver = false;
  const stream = new ReadableStream<Bytes>({
    pull: async (controller) => {
      try {
        const { done, value } = await inTime();
        if (isOver) return;
        if (done) return controller.close();
        count += value.byteLength;
        patience = Math.min(maxStallSeconds, patience + value.byteLength / LEAST_BYTES_PER_SECOND);
        if (count > maxBodyBytes) throw tooLarge("a body", maxBodyBytes);
        controller.enqueue(value as Bytes);
      } catch (error) {
        if (isOver) return;
        onFail(error);
        throw error;
      }
    },
    cancel: () => void (isOver = true),
  }, new ByteLengthQueuingStrategy({ highWaterMark: AHEAD_BYTES }));
  return { stream, drop: () => dropRest(reader) };

  async function inTime(): Promise<ReadableStreamReadResult<Uint8Array>> {
    const over = deferred<never>();
    over.promise.catch(() => {});
    const stop = () => over.reject(signal.reason);
    const stall = (text: string) => over.reject(new Problem("stalled", text));
    const slow = setTimeout(() => {
      if (!isContended()) return;
      stall(
        `Less than ${LEAST_BYTES_PER_SECOND} bytes a second came while others wait. Send faster.`,
      );
    }, Math.max(0, patience) * 1000);
    const silent = setTimeout(
      () => stall(`No byte came for ${maxStallSeconds} s. Send faster.`),
      maxStallSeconds * 1000,
    );
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const since = performance.now();
    try {
      return await Promise.race([reader.read(), over.promise]);
    } catch (error) {
      if (error instanceof Problem || signal.aborted) throw error;
      throw new Problem("aborted", "The body ended before it was whole. Send it again.");
    } finally {
      patience -= (performance.now() - since) / 1000;
      clearTimeout(slow);
      clearTimeout(silent);
      signal.removeEventListener("abort", stop);
    }
  }
}

/**
 * Reads what is left of a body and drops it, within bounds, before it is refused: a client that is still sending hears an
 * answer only where somebody listens to the end; a connection that is closed on it loses the answer as well.
 */
export async function dropBody(body: ReadableStream<Uint8Array>): Promise<void> {
  if (!body.locked) await dropRest(body.getReader());
}

async function dropRest(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const timer = setTimeout(() => reader.cancel().catch(() => {}), MAX_DROPPED_MS);
  try {
    for (let count = 0; count < MAX_DROPPED_BYTES;) {
      const { done, value } = await reader.read();
      if (done) return;
      count += value.byteLength;
    }
    await reader.cancel();
  } catch {
    // The client is gone.
  } finally {
    clearTimeout(timer);
  }
}

/** The problem of something with more bytes than a limit. */
export function tooLarge(what: string, limit: number): Problem {
  return new Problem(
    "too-large",
    `While reading the body: wanted ${what} of at most ${limit} bytes, found more. Send less, or raise the limit of this server.`,
  );
}
