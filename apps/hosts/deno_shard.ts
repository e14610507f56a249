/**
 * Entry of a thread that gathers shards under Deno; see `apps/queue/shard_messages.ts`.
 *
 * @module
 */
import type { FromShardThread, ToShardThread } from "../queue/shard_messages.ts";
import { runThread } from "./deno_thread.ts";

runThread<ToShardThread, FromShardThread>(async (post) => {
  const [{ shardThread }, { denoHost }] = await Promise.all([
    import("../cli/shard_thread.ts"),
    import("./deno.ts"),
  ]);
  return shardThread(denoHost, post);
});
