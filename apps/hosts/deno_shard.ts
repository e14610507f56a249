/**
 * Entry of a thread that gathers shards under Deno; see `apps/queue/shard_messages.ts`.
 *
 * @module
 */
import { dropNullLocation } from "../../core/worker_location.ts";
import type { FromShardThread, ToShardThread } from "../queue/shard_messages.ts";

/** As much of the worker's global scope as is needed. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ToShardThread>) => void;
  postMessage(message: FromShardThread): void;
};

dropNullLocation();

const ready = Promise.all([import("../cli/shard_thread.ts"), import("./deno.ts")]).then(
  ([{ shardThread }, { denoHost }]) =>
    shardThread(denoHost, (message) => scope.postMessage(message)),
);
scope.onmessage = async ({ data }) => (await ready)(data);
