/**
 * Entry of a calibration worker of the command line under Deno; see `workers/pool.ts`.
 *
 * @module
 */
import type { FromWorker, ToWorker } from "../../pipeline/workers/messages.ts";
import { runThread } from "./deno_thread.ts";

runThread<ToWorker, FromWorker>(async (post) => {
  const { serveCalibration } = await import("../../pipeline/passes/serve_calibration.ts");
  return serveCalibration(post);
});
