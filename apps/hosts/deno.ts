/**
 * Deno as a host: the only file below `main.ts` that names it.
 *
 * @module
 */
import type { Host } from "../../core/host.ts";
import { hasNative, usedRuntime, useNative } from "./deno_runtime.ts";
import * as failures from "./failures.ts";
import { pageFile } from "./page_files.ts";
import { listBelow, type ReadableFolders } from "./list_files.ts";
import { soon } from "./soon.ts";
import { checkWhole, removeBelow, type WritableFolders, writeWhole } from "./whole_files.ts";

const ROOT = new URL("../..", import.meta.url);

/** Files, terminal and assets of a Deno process. */
export const denoHost: Host = {
  machine: () =>
    `Deno ${Deno.version.deno}, ${Deno.build.os} ${Deno.build.arch}, ${navigator.hardwareConcurrency} cores, runtime ${usedRuntime()}`,
  readFile: async (path) => {
    await checkReadable(path, true);
    return await Deno.readFile(path).catch((cause) => throwUnreadable(path, cause));
  },
  openFile: async (path) => {
    await checkReadable(path, false);
    return readOnDemand(await Deno.open(path).catch((cause) => throwUnreadable(path, cause)));
  },
  readRange,
  realPath: (path) => Deno.realPath(path).catch((cause) => throwUnreadable(path, cause)),
  fileExists: async (path) => {
    try {
      return (await Deno.stat(path)).isFile;
    } catch {
      return false;
    }
  },
  fileSize: async (path) => {
    const info = await Deno.stat(path).catch(() => undefined);
    return info?.isFile ? info.size : undefined;
  },
  listFiles: (path) => listBelow(system, path),
  fetch: (url, init) => fetch(url, init).catch((cause) => throwUnreachable(url, init, cause)),
  openInput,
  startWorker: () => startWorker("./deno_worker.ts"),
  startRequestWorker,
  startShardWorker: () => startWorker("./deno_shard.ts"),
  hasNativeRuntime: hasNative,
  useNativeRuntime: useNative,
  environment: (name) => {
    try {
      return Deno.env.get(name);
    } catch {
      return undefined; // Not allowed to look: as if it weren't set.
    }
  },
  removeFiles: (folder, paths) => removeBelow(system, folder, paths),
  residentBytes: () => Deno.memoryUsage().rss,
  capacity: () => {
    const cores = navigator.hardwareConcurrency;
    try {
      return { cores, freeBytes: Deno.systemMemoryInfo().available };
    } catch {
      return { cores }; // Not allowed to look.
    }
  },
  checkWritable: (path) => checkWhole(system, path),
  writeFiles: (files) => writeWhole(system, files),
  assetPath: (name) => {
    const { pathname } = new URL(name, ROOT);
    return decodeURIComponent(Deno.build.os === "windows" ? pathname.slice(1) : pathname);
  },
  print: (text) => writeAll(Deno.stdout, text),
  printError: (text) => writeAll(Deno.stderr, text),
  serve: async (options) => {
    const { fetch, port, hostname, signal, settle, onListen } = options;
    let server: Deno.HttpServer;
    try {
      server = Deno.serve({
        port,
        hostname,
        onListen: (address) => onListen(`http://${hostname}:${address.port}/`),
      }, fetch);
    } catch (cause) {
      failures.throwCannotListen(options, cause);
    }
    await new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (signal.aborted) resolve();
    });
    const closing = server.shutdown();
    await settle();
    await soon(closing);
  },
  pageFile,
  isTerminal: Deno.stderr.isTerminal(),
};

/** Starts a worker of the command line, with the runtime that this thread uses. */
function startWorker(module: string): Worker {
  return new Worker(new URL(module, import.meta.url), { type: "module", name: usedRuntime() });
}

/** Starts a worker that does the work of requests: option `startWorker` of `createHandler`. */
export function startRequestWorker(): Worker {
  return new Worker(new URL("../http/request_worker.ts", import.meta.url), { type: "module" });
}

/** Bytes per read of a file. */
const CHUNK_BYTES = 1 << 16;

/** What can be read piece by piece. */
interface Readable {
  read(buffer: Uint8Array): Promise<number | null>;
  close(): void;
}

/** `Deno.FsFile.readable` reads one chunk ahead; this one reads when asked, and closes on cancel. */
function readOnDemand(file: Readable): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    pull: async (controller) => {
      const buffer = new Uint8Array(CHUNK_BYTES);
      const count = await file.read(buffer);
      if (count === null) {
        file.close();
        controller.close();
      } else controller.enqueue(buffer.subarray(0, count));
    },
    cancel: () => file.close(),
  }, { highWaterMark: 0 });
}

let isInputTaken = false;

function openInput(): ReadableStream<Uint8Array<ArrayBuffer>> {
  if (isInputTaken) throw failures.inputTaken();
  isInputTaken = true;
  return readOnDemand(Deno.stdin);
}

async function checkReadable(path: string, isWhole: boolean): Promise<Deno.FileInfo> {
  const info = await Deno.stat(path).catch((cause) => throwUnreadable(path, cause));
  failures.checkFile(path, info, isWhole);
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
  using file = await Deno.open(path).catch((cause) => throwUnreadable(path, cause));
  const bytes = new Uint8Array(length);
  let done = 0;
  try {
    await file.seek(offset, Deno.SeekMode.Start);
    while (done < length) {
      const count = await file.read(bytes.subarray(done));
      if (count === null) break;
      done += count;
    }
  } catch (cause) {
    throwUnreadable(path, cause);
  }
  if (done < length) throw failures.cutOff(path, offset, length, done);
  return bytes;
}

const system: ReadableFolders & WritableFolders = {
  entries: async (folder) => {
    const entries: Deno.DirEntry[] = [];
    for await (const entry of Deno.readDir(folder)) entries.push(entry);
    return entries;
  },
  info: (path) => Deno.stat(path),
  realPath: (path) => Deno.realPath(path),
  unreadable: throwUnreadable,
  // What this process may not even look at is there as far as it goes: it couldn't be made either.
  exists: (path) =>
    Deno.stat(path).then(() => true, (error) => !(error instanceof Deno.errors.NotFound)),
  makeFolder: (path) => Deno.mkdir(path),
  removeFolder: (path) => Deno.remove(path),
  writeNew: async (path, pieces) => {
    const file = await Deno.open(path, { write: true, createNew: true });
    try {
      // The system lets go of the lock when the process ends, however it ends.
      await file.lock(true).catch(() => {});
      for (const piece of pieces) {
        for (let done = 0; done < piece.length;) done += await file.write(piece.subarray(done));
      }
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  },
  rename: (from, to) => Deno.rename(from, to),
  removeFile: (path) => Deno.remove(path),
  mark: "deno",
  isOrphan: async (path, mark) => {
    if (mark !== "deno") return false;
    using file = await Deno.open(path, { write: true });
    return await file.tryLock(true);
  },
};

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
  } catch (error) {
    // The reader has seen enough, as `head` has: no failure of ours.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function throwUnreadable(path: string, cause: unknown): never {
  failures.throwUnreadable(path, cause, cause instanceof Deno.errors.NotFound);
}

function throwUnreachable(url: string, init: RequestInit | undefined, cause: unknown): never {
  const isDenied = cause instanceof Deno.errors.NotCapable;
  failures.throwUnreachable(url, init, cause, isDenied ? "Allow it with --allow-net" : undefined);
}
