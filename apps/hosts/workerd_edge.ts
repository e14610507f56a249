/**
 * The small handler inside workerd: search and emission, no WebAssembly at all.
 *
 * @module
 */
import { createEdgeHandler, type Handler } from "../http/edge.ts";
import { settingsFrom } from "../http/settings.ts";
import { answer, DEFAULTS_128_MB, type WorkerHandler } from "./worker_handler.ts";

let handler: Handler | undefined;

const worker: WorkerHandler = {
  fetch: (request, environment, context) => {
    const { limits, ...settings } = settingsFrom((name) => environment[name]);
    handler ??= createEdgeHandler({ ...settings, limits: { ...DEFAULTS_128_MB, ...limits } });
    return answer(handler, request, context);
  },
};

export default worker;
