/**
 * The small handler for the edge: search and emission from a statistics file, without inference.
 *
 * @module
 */
import { edgeOperations } from "./edge_operations.ts";
import {
  createHandlerFor,
  type Handler,
  handlerOf,
  type HandlerOptions,
  type RequestContext,
} from "./handler.ts";

export type { Handler, HandlerOptions, RequestContext };
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";

/**
 * A handler for what needs neither samples nor a runtime. Models with nodes that compute constants are refused.
 *
 * @example Its description
 * ```ts
 * import { createEdgeHandler } from "./edge.ts";
 * import assert from "node:assert/strict";
 *
 * const { fetch } = createEdgeHandler();
 * const { paths } = await (await fetch(new Request("http://localhost/openapi.json"))).json();
 * assert.ok("/v1/search" in paths && !("/v1/calibrate" in paths));
 * ```
 */
export function createEdgeHandler(options: HandlerOptions = {}): Handler {
  return handlerOf(createHandlerFor(edgeOperations(), options));
}
