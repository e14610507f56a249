/**
 * The page's worker: takes one job, tells how it goes, and answers. The page ends it to cancel.
 *
 * @module
 */
import { supplyRuntime } from "../../pipeline/inference/default_runtime.ts";
import type { FromWorker, Job } from "./messages.ts";
import { messageOf, runJob } from "./run_job.ts";

/** onnxruntime-web's WebAssembly, beside this file. */
const RUNTIME = "ort-wasm-simd-threaded.wasm";

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<Job>) => void) | null;
  postMessage(message: FromWorker): void;
  readonly location: { readonly href: string };
};

supplyRuntime({
  kind: "wasm",
  binary: async () => {
    const response = await fetch(new URL(RUNTIME, scope.location.href));
    if (!response.ok) throw new Error(`${RUNTIME} is missing beside the page: ${response.status}`);
    return await response.arrayBuffer();
  },
});

scope.onmessage = async ({ data: job }) => {
  try {
    const result = await runJob(job, (news) => scope.postMessage(news));
    scope.postMessage({ type: "done", result });
  } catch (error) {
    scope.postMessage({ type: "failed", message: messageOf(error) });
  }
};
