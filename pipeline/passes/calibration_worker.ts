/**
 * Entry of a calibration worker; see `workers/pool.ts`.
 *
 * @module
 */
import type { FromWorker, ToWorker } from "../workers/messages.ts";

/** As much of the worker's global scope as is needed. */
const scope = globalThis as unknown as {
  location?: { origin?: string };
  onmessage: (event: MessageEvent<ToWorker>) => void;
  postMessage(message: FromWorker): void;
};

// Under Deno location.origin is "null" in a worker, and onnxruntime-web stumbles over it when imported.
if (scope.location?.origin === "null") Reflect.deleteProperty(scope, "location");

// Not awaited here: messages that come before onmessage is set would be lost in Chromium.
const ready = import("./serve_calibration.ts").then(({ serveCalibration }) =>
  serveCalibration((message) => scope.postMessage(message))
);
scope.onmessage = async ({ data }) => (await ready)(data);
