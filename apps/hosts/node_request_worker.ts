/**
 * Entry of a worker for requests under Node; see `apps/http/worker_pool.ts`.
 *
 * @module
 */
import "./node_default.ts";
import { parentPort } from "node:worker_threads";
import { defaultRuntime } from "../../pipeline/inference/default_runtime.ts";
import { serveRequests } from "../http/serve_requests.ts";

const port = parentPort!;
const take = serveRequests(
  defaultRuntime(),
  (message, transfer) => port.postMessage(message, transfer as ArrayBuffer[]),
);
port.on("message", take);
