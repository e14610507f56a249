/**
 * Entry of a thread that gathers shards under Node; see `apps/queue/shard_messages.ts`.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { shardThread } from "../cli/shard_thread.ts";
import { installedHost } from "./node_installed.ts";
import { supplyNodeRuntime } from "./node_runtime.ts";

const port = parentPort!;
// This file is bundled into the root of the package.
const ready = supplyNodeRuntime(workerData.runtime).then(() =>
  shardThread(installedHost(new URL("./", import.meta.url)), (message) => port.postMessage(message))
);
port.on("message", async (message) => (await ready)(message));
