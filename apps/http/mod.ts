/**
 * Plimsoll over HTTP: a fetch handler for Deno, workerd, Node and whatever else speaks Web standards.
 *
 * @module
 */
import { defaultRuntime } from "../../pipeline/inference/default_runtime.ts";
import { createHandlerFor, type Handler, type HandlerOptions } from "./handler.ts";
import { allOperations } from "./runtime_operations.ts";

export type { Handler, HandlerOptions };
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";

/**
 * A handler for everything: calibration, search, emission, quantization, health and description.
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
export function createHandler(options: HandlerOptions = {}): Handler {
  const runtime = defaultRuntime();
  return createHandlerFor(allOperations(runtime), options, runtime);
}
