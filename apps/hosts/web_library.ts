/**
 * The library as the npm package gives it to browsers and whatever else isn't Node.
 *
 * @module
 */
export * from "../../pipeline/mod.ts";
export * from "../http/mod.ts";
export { createEdgeHandler } from "../http/edge.ts";
