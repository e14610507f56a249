/**
 * Entry of a calibration worker; see `workers/pool.ts`.
 *
 * @module
 */
import { dropNullLocation } from "../../core/worker_location.ts";
import type { FromWorker, ToWorker } from "../workers/messages.ts";

/** As much of the worker's global scope as is needed. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ToWorker>) => void;
  postMessage(message: FromWorker): void;
};

dropNullLocation();

// Not awaited here: messages that come before onmessage is set would be lost in Chromium.
const ready = import("./serve_calibration.ts").then(({ serveCalibration }) =>
  serveCalibration((message) => scope.postMessage(message))
);
scope.onmessage = async ({ data }) => (await ready)(data);
