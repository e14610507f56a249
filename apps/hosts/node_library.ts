/**
 * The library as Node's package gives it: the public surface, with the runtime where npm puts it.
 *
 * @module
 */
import type { HostWorker } from "../../core/host.ts";
import { supplyNodeRuntime } from "./node_runtime.ts";
import { startThread } from "./node_thread.ts";

await supplyNodeRuntime("wasm");

export * from "../../pipeline/mod.ts";
export * from "../http/mod.ts";
export { createEdgeHandler } from "../http/edge.ts";

/** Starts a worker thread that calibrates: option `startWorker` of `calibrate` and `quantize`. */
export function startWorker(): HostWorker {
  // This file is bundled into the root of the package.
  return startThread(new URL("./calibration_worker.js", import.meta.url), "wasm");
}
