/**
 * Entry of a worker that does the work of requests; see `worker_pool.ts`.
 *
 * @module
 */
import type { FromRequestWorker, ToRequestWorker } from "./worker_messages.ts";

/** As much of the worker's global scope as is needed. */
const scope = globalThis as unknown as {
  location?: { origin?: string };
  onmessage: (event: MessageEvent<ToRequestWorker>) => void;
  postMessage(message: FromRequestWorker, transfer?: Transferable[]): void;
};

// Under Deno location.origin is "null" in a worker, and onnxruntime-web stumbles over it when imported.
if (scope.location?.origin === "null") Reflect.deleteProperty(scope, "location");

// Not awaited here: messages that come before onmessage is set would be lost in Chromium.
const ready = load();
scope.onmessage = async ({ data }) => (await ready)(data);

async function load(): Promise<(message: ToRequestWorker) => void> {
  const [{ serveRequests }, { defaultRuntime }] = await Promise.all([
    import("./serve_requests.ts"),
    import("../../pipeline/inference/default_runtime.ts"),
  ]);
  return serveRequests(
    defaultRuntime(),
    (message, transfer) => scope.postMessage(message, transfer),
  );
}
