/**
 * Files, network and standard input of Node, to read from.
 *
 * @module
 */
import { type FileHandle, open, readdir, readFile, realpath, stat } from "node:fs/promises";
import process from "node:process";
import type { Reader } from "../../core/host.ts";
import * as failures from "./failures.ts";
import { listBelow, type ReadableFolders } from "./list_files.ts";

/** Bytes per read of a file. */
const CHUNK_BYTES = 1 << 16;

let isInputTaken = false;

/** What Node reads. */
export const nodeReader: Reader = {
  readFile: async (path) => {
    await checkReadable(path, true);
    const bytes = await readFile(path).catch((cause) => throwUnreadable(path, cause));
    return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  },
  openFile: async (path) => {
    await checkReadable(path, false);
    return readOnDemand(await open(path).catch((cause) => throwUnreadable(path, cause)));
  },
  readRange,
  realPath: (path) => realpath(path).catch((cause) => throwUnreadable(path, cause)),
  fileExists: async (path) => (await stat(path).catch(() => undefined))?.isFile() ?? false,
  fileSize: async (path) => {
    const info = await stat(path).catch(() => undefined);
    return info?.isFile() ? info.size : undefined;
  },
  listFiles: (path) => listBelow(readableFolders, path),
  fetch: (url, init) =>
    fetch(url, init).catch((cause) => failures.throwUnreachable(url, init, reasonOf(cause))),
  openInput: () => {
    if (isInputTaken) throw failures.inputTaken();
    isInputTaken = true;
    return readInput();
  },
};

/** Node's own streams of files read ahead; this one reads when asked, and closes on cancel. */
function readOnDemand(file: FileHandle): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    pull: async (controller) => {
      const buffer = new Uint8Array(CHUNK_BYTES);
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES);
      if (bytesRead === 0) {
        await file.close();
        controller.close();
      } else controller.enqueue(buffer.subarray(0, bytesRead));
    },
    cancel: () => file.close(),
  }, { highWaterMark: 0 });
}

function readInput(): ReadableStream<Uint8Array<ArrayBuffer>> {
  const chunks = process.stdin[Symbol.asyncIterator]();
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
    cancel: () => void process.stdin.destroy(),
  }, { highWaterMark: 0 });
}

async function checkReadable(path: string, isWhole: boolean): Promise<{ readonly size: number }> {
  const info = await stat(path).catch((cause) => throwUnreadable(path, cause));
  const { size } = info;
  failures.checkFile(
    path,
    { size, isFile: info.isFile(), isDirectory: info.isDirectory() },
    isWhole,
  );
  return info;
}

async function readRange(
  path: string,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { size } = await checkReadable(path, false);
  // Before anything is allocated.
  if (offset + length > size) {
    throw failures.cutOff(path, offset, length, Math.max(0, size - offset));
  }
  const file = await open(path).catch((cause) => throwUnreadable(path, cause));
  const bytes = new Uint8Array(length);
  let done = 0;
  try {
    while (done < length) {
      const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
  } catch (cause) {
    throwUnreadable(path, cause);
  } finally {
    await file.close();
  }
  if (done < length) throw failures.cutOff(path, offset, length, done);
  return bytes;
}

/** Folders, as listing and writing look at them. */
export const readableFolders: ReadableFolders = {
  entries: async (folder) =>
    (await readdir(folder, { withFileTypes: true })).map((entry) => ({
      name: entry.name,
      isDirectory: entry.isDirectory(),
      isSymlink: entry.isSymbolicLink(),
    })),
  info: async (path) => {
    const info = await stat(path);
    return { isDirectory: info.isDirectory(), size: info.size };
  },
  realPath: (path) => realpath(path),
  unreadable: throwUnreadable,
};

function throwUnreadable(path: string, cause: unknown): never {
  failures.throwUnreadable(path, cause, codeOf(cause) === "ENOENT");
}

/** The code of an error of the system: `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

/** Node's fetch says "fetch failed"; what failed is its cause. */
function reasonOf(error: unknown): unknown {
  return error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
}
