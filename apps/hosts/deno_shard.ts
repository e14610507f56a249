/**
 * Entry of a thread that gathers shards under Deno; see `apps/queue/shard_messages.ts`.
 *
 * @module
 */
import { dropNullLocation } from "../../core/worker_location.ts";
import type { FromShardThread, ToShardThread } from "../queue/shard_messages.ts";

/** As much of the worker's global scope as is needed; its name says which runtime it uses. */
const scope = globalThis as unknown as {
  readonly name: string;
  onmessage: (event: MessageEvent<ToShardThread>) => void;
  postMessage(message: FromShardThread): void;
};

dropNullLocation();

const ready = load();
scope.onmessage = async ({ data }) => (await ready)(data);

async function load(): Promise<(message: ToShardThread) => void> {
  if (scope.name === "native") await (await import("./deno_runtime.ts")).useNative();
  const [{ shardThread }, { denoHost }] = await Promise.all([
    import("../cli/shard_thread.ts"),
    import("./deno.ts"),
  ]);
  return shardThread(denoHost, (message) => scope.postMessage(message));
}
