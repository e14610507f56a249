/**
 * Members of a tar archive.
 *
 * @module
 */
import { createTarDecoder } from "modern-tar";
import { PlimsollError } from "../../core/errors.ts";
import type { Member } from "./member_samples.ts";

/**
 * Files of a tar archive in their order, without links, folders and devices. The reader behind it
 * holds at most 1 MiB and a chunk that nobody has asked for yet.
 *
 * @param stream The archive, not compressed.
 * @throws {PlimsollError} kind `input` where the archive is damaged, from the generator.
 */
export async function* tarMembers(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  name: string,
): AsyncGenerator<Member> {
  const entries = stream.pipeThrough(createTarDecoder({ strict: true })).getReader();
  const fail = (cause: unknown) => {
    if (cause instanceof PlimsollError) return cause;
    return new PlimsollError("input", {
      action: `reading ${JSON.stringify(name)}`,
      wanted: "a whole tar archive",
      found: (cause as Error).message,
      remedy: "Get the file again; it is damaged or cut off",
      cause,
    });
  };
  try {
    while (true) {
      const { done, value } = await entries.read().catch((cause) => Promise.reject(fail(cause)));
      if (done) return;
      const { header: { name: path, size, type }, body } = value;
      let isRead = false;
      if (type === "file") {
        yield {
          path: path.replace(/^(\.\/)+/, ""),
          byteLength: size,
          read: () => {
            isRead = true;
            return collect(body, size).catch((cause) => Promise.reject(fail(cause)));
          },
        };
      }
      // Read, not cancelled: modern-tar 0.8.6 takes the cancelling of a short body for one of the
      // next body, which then never comes.
      if (!isRead) await drain(body).catch((cause) => Promise.reject(fail(cause)));
    }
  } finally {
    await entries.cancel().catch(() => {});
  }
}

async function collect(body: ReadableStream<Uint8Array>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of body) {
    bytes.set(chunk, filled);
    filled += chunk.length;
  }
  return bytes;
}

async function drain(body: ReadableStream<Uint8Array>): Promise<void> {
  const reader = body.getReader();
  while (!(await reader.read()).done);
}
