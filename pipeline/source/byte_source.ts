/**
 * Bytes from where people have them: a file, an address, standard input.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { sha256 } from "../../core/hash.ts";
import type { Reader } from "../../core/host.ts";
import { ByteReader } from "./byte_reader.ts";
import { openRemote } from "./remote.ts";

/** Opened bytes. Whoever has them reads the stream to its end or cancels. */
export interface ByteSource {
  /** How messages call it. */
  readonly name: string;
  /** Its path, from which the format shows; empty for standard input. */
  readonly path: string;
  /** Size in bytes, when known. */
  readonly byteLength?: number;
  /** The first 64 KiB, or all when it is shorter. */
  readonly head: Uint8Array<ArrayBuffer>;
  /** All bytes from the beginning, read on demand. To be taken once. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Bytes from `start` to before `end`, where the place can give them. */
  readonly slice?: (start: number, end: number) => Promise<ArrayBuffer>;
  /** Lets go of file or connection, whatever is under way, ranges too. */
  cancel(reason?: unknown): Promise<void>;
}

const HEAD_BYTES = 1 << 16;

/** Whether a path is an address: `http(s)://…`, or `s3://bucket/key`, which the fetch of hosts knows that may sign requests. */
export function isUrl(path: string): boolean {
  return /^(https?|s3):\/\//i.test(path);
}

/**
 * Opens a file, `http(s)://…`, or `-` for standard input.
 *
 * @throws {PlimsollError} kind `input`.
 */
export async function openBytes(reader: Reader, path: string): Promise<ByteSource> {
  if (path === "-") return await withHead(reader.openInput(), { name: "standard input", path: "" });
  if (isUrl(path)) {
    const { stream, byteLength, slice, close } = await openRemote(reader, path);
    return await withHead(
      stream,
      { name: path, path: new URL(path).pathname, byteLength, slice },
      close,
    );
  }
  const byteLength = await reader.fileSize(path);
  return await withHead(await reader.openFile(path), {
    name: path,
    path,
    byteLength,
    ...byteLength === undefined ? {} : {
      slice: async (start: number, end: number) => {
        const { buffer } = await reader.readRange(path, start, end - start);
        return buffer;
      },
    },
  });
}

/**
 * Opens bytes that come by themselves: the body of a request, a file that somebody chose in a browser.
 *
 * @param place How messages call them; a file name, from whose ending the format shows, if they have one; and their
 * size when it is known, which is part of the data set's identity.
 */
export async function openStream(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  place: Pick<ByteSource, "name" | "byteLength" | "slice"> & { readonly path?: string },
): Promise<ByteSource> {
  return await withHead(stream, { path: "", ...place });
}

/**
 * Names the content of a data set, wherever it lies: SHA-256 over its format, its size when known
 * and its first 64 KiB.
 */
export async function identityOf(
  { byteLength, head }: Pick<ByteSource, "byteLength" | "head">,
  format: string,
): Promise<string> {
  return await sha256(`${format}\n${byteLength ?? "stream"}\n${await sha256(head)}`);
}

async function withHead(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  place: Pick<ByteSource, "name" | "path" | "byteLength" | "slice">,
  close?: () => void,
): Promise<ByteSource> {
  const bytes = new ByteReader(stream);
  const head = await readOr(place.name, () => bytes.read(HEAD_BYTES));
  let isHeadTaken = head.length === 0;
  // An aborted connection rejects with the reason of the abortion.
  const cancel = (reason?: unknown) => bytes.cancel(reason).catch(() => {});
  return {
    ...place,
    head,
    stream: () =>
      new ReadableStream({
        pull: async (controller) => {
          const chunk = isHeadTaken ? await readOr(place.name, () => bytes.readSome()) : head;
          isHeadTaken = true;
          if (chunk === undefined) controller.close();
          else controller.enqueue(chunk as Uint8Array<ArrayBuffer>);
        },
        cancel,
      }, { highWaterMark: 0 }),
    cancel: async (reason) => {
      close?.();
      await cancel(reason);
    },
  };
}

async function readOr<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof PlimsollError) throw cause;
    throw new PlimsollError("input", {
      action: `reading ${JSON.stringify(name)}`,
      wanted: "data to its end",
      found: (cause as Error).message,
      remedy: "Check the disk or the connection, and try again",
      cause,
    });
  }
}
