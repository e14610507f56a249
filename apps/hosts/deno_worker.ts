/**
 * Entry of a calibration worker of the command line under Deno; see `workers/pool.ts`. Its name says which runtime it
 * uses.
 *
 * @module
 */
import { dropNullLocation } from "../../core/worker_location.ts";
import type { FromWorker, ToWorker } from "../../pipeline/workers/messages.ts";

/** As much of the worker's global scope as is needed. */
const scope = globalThis as unknown as {
  readonly name: string;
  onmessage: (event: MessageEvent<ToWorker>) => void;
  postMessage(message: FromWorker): void;
};

dropNullLocation();

const ready = load();
scope.onmessage = async ({ data }) => (await ready)(data);

async function load(): Promise<(message: ToWorker) => void> {
  if (scope.name === "native") await (await import("./deno_runtime.ts")).useNative();
  const { serveCalibration } = await import("../../pipeline/passes/serve_calibration.ts");
  return serveCalibration((message) => scope.postMessage(message));
}
