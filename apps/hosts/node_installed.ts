/**
 * Node as a host where npm has put Plimsoll.
 *
 * @module
 */
import type { Host } from "../../core/host.ts";
import { createNodeHost } from "./node.ts";

/** @param root The package's folder, in which all entries lie. */
export function installedHost(root: URL): Host {
  return createNodeHost({
    root,
    worker: new URL("calibration_worker.js", root),
    requestWorker: new URL("request_worker.js", root),
    shardWorker: new URL("shard_worker.js", root),
  });
}
