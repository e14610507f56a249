/**
 * Plimsoll over HTTP: a fetch handler for Deno, workerd, Node and whatever else speaks Web standards.
 *
 * @module
 */
import { defaultRuntime } from "../../pipeline/inference/default_runtime.ts";
import {
  createHandlerFor,
  type Handler,
  type HandlerOptions,
  type RequestContext,
} from "./handler.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { defectEntry, type LogEntry, observe, type ObserveOptions } from "./observe.ts";
import { allOperations } from "./runtime_operations.ts";
import { type StartRequestWorker, WorkerPool } from "./worker_pool.ts";

export type {
  Handler,
  HandlerOptions,
  LogEntry,
  ObserveOptions,
  RequestContext,
  StartRequestWorker,
};
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
export type { OriginSettings } from "./origin.ts";

/** Settings of a handler for everything. */
export interface FullHandlerOptions extends HandlerOptions, ObserveOptions {
  /**
   * Starts a worker for requests; `plimsoll` has one for Deno and Node. Then each request at work has a worker of its
   * own, which is ended when time is up or the client is gone. Without it all work is done here, one inference after the
   * other, and what never ends keeps this thread.
   */
  readonly startWorker?: StartRequestWorker;
}

/**
 * A handler for everything: calibration, search, emission, quantization, health, measures and description.
 *
 * @example Its health
 * ```ts
 * import { createHandler } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * const { fetch } = createHandler({ token: "secret" });
 * const response = await fetch(new Request("http://localhost/health"));
 * assert.equal((await response.json()).status, "ok");
 * const refused = await fetch(new Request("http://localhost/v1/search", { method: "POST" }));
 * assert.equal(refused.status, 401);
 * ```
 */
export function createHandler(options: FullHandlerOptions = {}): Handler {
  const { startWorker, onLog, onDefect } = options;
  const runtime = defaultRuntime();
  const maxActive = options.limits?.maxActive ?? DEFAULT_LIMITS.maxActive;
  const pool = startWorker === undefined ? undefined : new WorkerPool(startWorker, maxActive);
  const operations = allOperations(runtime).map((operation) =>
    pool?.operationOf(operation) ?? operation
  );
  const core = createHandlerFor(operations, {
    ...options,
    onDefect: (error, id) => {
      onDefect?.(error, id);
      onLog?.(defectEntry(error, id));
    },
  }, {
    isLost: () => runtime.lost !== undefined || (pool?.counts.stuck ?? 0) >= maxActive,
    hasMetrics: true,
  });
  const watched = observe(core, options, pool && (() => pool.counts));
  return {
    fetch: watched.fetch,
    close: async () => {
      await watched.close();
      pool?.close();
    },
  };
}
