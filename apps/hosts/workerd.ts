/**
 * The HTTP handler inside Cloudflare's workerd. It compiles no bytes: whoever writes the worker imports the modules
 * and hands them in, as `build/workerd/worker.js` does.
 *
 * @module
 */
import { supplyWasm } from "../../wasm/mod.ts";
import { createHandler, type Handler } from "../http/mod.ts";
import { settingsFrom } from "../http/settings.ts";
import { supplyRuntime } from "../../pipeline/inference/default_runtime.ts";
import {
  answer,
  DEFAULTS_128_MB,
  type WorkerEnvironment,
  type WorkerHandler,
} from "./worker_handler.ts";

/** Compiled WebAssembly, as static imports give it. */
export interface WorkerModules {
  /** `ort-wasm-simd-threaded.wasm` of onnxruntime-web. */
  readonly runtime: WebAssembly.Module;
  /** `histogram.wasm`. */
  readonly histogram: WebAssembly.Module;
  /** `image.wasm`. */
  readonly image: WebAssembly.Module;
}

/** The default export of a worker that does everything. */
export function createWorker({ runtime, histogram, image }: WorkerModules): WorkerHandler {
  supplyRuntime({ kind: "wasm", binary: runtime });
  supplyWasm({ histogram, image });
  let handler: Handler | undefined;
  return {
    fetch: (request, environment, context) =>
      answer(handler ??= make(environment), request, context),
  };
}

function make(environment: WorkerEnvironment): Handler {
  const { limits, ...settings } = settingsFrom((name) => environment[name]);
  return createHandler({ ...settings, limits: { ...DEFAULTS_128_MB, ...limits } });
}
