/**
 * Transparent gzip.
 *
 * @module
 */
import { readerSource } from "../../core/reader_source.ts";

const GZIP_MAGIC = [0x1f, 0x8b];

/**
 * The stream decompressed when it begins with gzip's magic number, else as it is. Whichever it is
 * shows in the bytes, not in a file name, so downloads with odd names work.
 */
export async function gunzipIfNeeded(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const reader = stream.getReader();
  const first = await reader.read();
  const whole = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => {
      // The chunk that was read to look at it goes back in front.
      if (first.done) controller.close();
      else controller.enqueue(first.value);
    },
    ...readerSource(reader),
  }, { highWaterMark: 0 });
  const isGzip = !first.done && GZIP_MAGIC.every((byte, i) => first.value[i] === byte);
  return isGzip ? unpack(whole, (reason) => reader.cancel(reason)) : whole;
}

/**
 * Cancelled early, the decompressor is left alone and its source ends: Node 20's goes on giving chunks after its
 * stream was cancelled, which brings the process down.
 */
function unpack(
  packed: ReadableStream<Uint8Array<ArrayBuffer>>,
  cancel: (reason: unknown) => Promise<void>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const unpacked = packed.pipeThrough(new DecompressionStream("gzip")).getReader();
  return new ReadableStream({
    ...readerSource(unpacked),
    cancel: async (reason) => {
      await cancel(reason);
      // What is left comes, or the complaint that the rest is missing; nobody waits for either.
      unpacked.closed.catch(() => {});
    },
  }, { highWaterMark: 0 });
}
