/**
 * Worker threads of Node.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import type { HostWorker } from "../../core/host.ts";
import type { RuntimeKind } from "./native_package.ts";

/** A worker thread with the face of a Web Worker. */
export function startThread(module: URL, runtime: RuntimeKind): HostWorker {
  const thread = new Worker(module, { workerData: { runtime } });
  const worker: HostWorker = {
    onmessage: null,
    onerror: null,
    // Node has a list of its own of what can change hands; buffers are in both.
    postMessage: (message, transfer) => thread.postMessage(message, transfer as ArrayBuffer[]),
    terminate: () => void thread.terminate(),
  };
  thread.on("message", (data) => worker.onmessage?.({ data } as MessageEvent));
  thread.on(
    "error",
    ({ message }: Error) => worker.onerror?.({ message, preventDefault: () => {} } as ErrorEvent),
  );
  return worker;
}
