/**
 * Node as a host. What it says and does is what `deno.ts` says and does; one suite of tests runs over both.
 *
 * @module
 */
import { mkdir, open, rename, rm, rmdir, stat } from "node:fs/promises";
import { writeSync } from "node:fs";
import { availableParallelism, freemem } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Host } from "../../core/host.ts";
import type { ReadableFolders } from "./list_files.ts";
import { codeOf, nodeReader, readableFolders } from "./node_reader.ts";
import { checkWhole, removeBelow, type WritableFolders, writeWhole } from "./whole_files.ts";
import type { RuntimeKind } from "./native_package.ts";
import { hasNative, supplyNodeRuntime } from "./node_runtime.ts";
import { serveNode } from "./node_serve.ts";
import { startThread } from "./node_thread.ts";

/** Where things lie in an installation. */
export interface NodeHostOptions {
  /** Folder that `data/` lies in. */
  readonly root: URL;
  /** Module of calibration workers, `node_worker.ts`. */
  readonly worker: URL;
  /** Module of workers for requests, `node_request_worker.ts`. */
  readonly requestWorker: URL;
  /** Module of workers for shards, `node_shard.ts`. */
  readonly shardWorker: URL;
}

/** Files, terminal and assets of a Node process. */
export function createNodeHost(
  { root, worker, requestWorker, shardWorker }: NodeHostOptions,
): Host {
  let runtime: RuntimeKind = "wasm";
  return {
    ...nodeReader,
    startWorker: () => startThread(worker, runtime),
    startRequestWorker: () => startThread(requestWorker, "wasm"),
    startShardWorker: () => startThread(shardWorker, runtime),
    environment: (name) => process.env[name],
    removeFiles: (folder, paths) => removeBelow(system, folder, paths),
    residentBytes: () => process.memoryUsage.rss(),
    capacity: () => ({ cores: availableParallelism(), freeBytes: freemem() }),
    hasNativeRuntime: hasNative,
    useNativeRuntime: async () => {
      if (runtime === "native") return;
      await supplyNodeRuntime("native");
      runtime = "native";
    },
    checkWritable: (path) => checkWhole(system, path),
    writeFiles: (files) => writeWhole(system, files),
    assetPath: (name) => fileURLToPath(new URL(name, root)),
    print: (text) => writeAll(1, text),
    printError: (text) => writeAll(2, text),
    command: "npx plimsoll",
    machine: () =>
      `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${availableParallelism()} cores, runtime ${runtime}`,
    serve: serveNode,
    isTerminal: process.stderr.isTTY === true,
  };
}

const system: ReadableFolders & WritableFolders = {
  ...readableFolders,
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
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  },
  rename: (from, to) => rename(from, to),
  removeFile: (path) => rm(path),
  // Node has no locks of files; its processes have numbers.
  mark: `node${process.pid}`,
  isOrphan: (_, mark) =>
    Promise.resolve(/^node\d+$/.test(mark) && !isRunning(Number(mark.slice(4)))),
};

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // One of another user.
    return codeOf(error) === "EPERM";
  }
}

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
