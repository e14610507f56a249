/**
 * Node as a host. What it says and does is what `deno.ts` says and does; one suite of tests runs over both.
 *
 * @module
 */
import { type FileHandle, open, readdir, readFile, realpath } from "node:fs/promises";
import { mkdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { writeSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Host } from "../../core/host.ts";
import * as failures from "./failures.ts";
import { listBelow, type ReadableFolders } from "./list_files.ts";
import { checkWhole, type WritableFolders, writeWhole } from "./whole_files.ts";
import { type NodeRuntime, supplyNodeRuntime } from "./node_runtime.ts";
import { serveNode } from "./node_serve.ts";
import { startThread } from "./node_thread.ts";

/** Where things lie in an installation. */
export interface NodeHostOptions {
  /** Folder that `data/` lies in. */
  readonly root: URL;
  /** Module of calibration workers, `node_worker.ts`. */
  readonly worker: URL;
}

/** Bytes per read of a file. */
const CHUNK_BYTES = 1 << 16;

/** Files, terminal and assets of a Node process. */
export function createNodeHost({ root, worker }: NodeHostOptions): Host {
  let isInputTaken = false;
  let runtime: NodeRuntime = "wasm";
  return {
    readFile: async (path) => {
      const bytes = await readFile(path).catch((cause) => throwUnreadable(path, cause));
      return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
    },
    openFile: async (path) => {
      const file = await open(path).catch((cause) => throwUnreadable(path, cause));
      if ((await file.stat()).isDirectory()) {
        await file.close();
        throwUnreadable(path, new Error("it is a folder"));
      }
      return readOnDemand(file);
    },
    readRange,
    fileExists: async (path) => (await stat(path).catch(() => undefined))?.isFile() ?? false,
    fileSize: async (path) => {
      const info = await stat(path).catch(() => undefined);
      return info?.isFile() ? info.size : undefined;
    },
    listFiles: (path) => listBelow(system, path),
    fetch: (url, init) =>
      fetch(url, init).catch((cause) => failures.throwUnreachable(url, init, reasonOf(cause))),
    openInput: () => {
      if (isInputTaken) throw failures.inputTaken();
      isInputTaken = true;
      return readInput();
    },
    startWorker: () => startThread(worker, runtime),
    useNativeRuntime: async () => {
      await supplyNodeRuntime("native");
      runtime = "native";
    },
    checkWritable: (path) => checkWhole(system, path),
    writeFiles: (files) => writeWhole(system, files),
    assetPath: (name) => fileURLToPath(new URL(name, root)),
    print: (text) => writeAll(1, text),
    printError: (text) => writeAll(2, text),
    command: "npx plimsoll",
    serve: serveNode,
    isTerminal: process.stderr.isTTY === true,
  };
}

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

async function readRange(
  path: string,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
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

const system: ReadableFolders & WritableFolders = {
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
  exists: (path) => stat(path).then(() => true, () => false),
  makeFolder: (path) => mkdir(path),
  removeFolder: (path) => rmdir(path),
  writeNew: async (path, pieces) => {
    const file = await open(path, "wx");
    try {
      for (const piece of pieces) {
        for (let done = 0; done < piece.length;) {
          done += (await file.write(piece, done)).bytesWritten;
        }
      }
    } finally {
      await file.close();
    }
  },
  rename: (from, to) => rename(from, to),
  removeFile: (path) => rm(path),
};

function writeAll(descriptor: 1 | 2, text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(descriptor, bytes));
    } catch (error) {
      // The reader has seen enough, as `head` has: no failure of ours.
      if (codeOf(error) === "EPIPE") return;
      // A pipe that is full for now.
      if (codeOf(error) !== "EAGAIN") throw error;
    }
  }
}

function throwUnreadable(path: string, cause: unknown): never {
  failures.throwUnreadable(path, cause, codeOf(cause) === "ENOENT");
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

/** Node's fetch says "fetch failed"; what failed is its cause. */
function reasonOf(error: unknown): unknown {
  return error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
}
