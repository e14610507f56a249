/**
 * Entry of a calibration worker under Node; see `workers/pool.ts`.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { serveCalibration } from "../../pipeline/passes/serve_calibration.ts";
import { supplyNodeRuntime } from "./node_runtime.ts";

const port = parentPort!;
const ready = supplyNodeRuntime(workerData.runtime).then(() =>
  serveCalibration((message) => port.postMessage(message))
);
port.on("message", async (message) => (await ready)(message));
