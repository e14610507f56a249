/**
 * Entry of a worker that does the work of requests; see `worker_pool.ts`.
 *
 * @module
 */
import { dropNullLocation } from "../../core/worker_location.ts";
import type { FromRequestWorker, ToRequestWorker } from "./worker_messages.ts";

/** As much of the worker's global scope as is needed. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ToRequestWorker>) => void;
  postMessage(message: FromRequestWorker, transfer?: Transferable[]): void;
};

dropNullLocation();

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
