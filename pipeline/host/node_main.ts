/**
 * Plimsoll's command line under Node: `npx plimsoll`.
 *
 * @module
 */
import process from "node:process";
import { runCli } from "../cli/run.ts";
import { createNodeHost } from "./node.ts";
import { supplyNodeRuntime } from "./node_runtime.ts";

await supplyNodeRuntime("wasm");
const host = createNodeHost({
  // This file is bundled into the root of the package.
  root: new URL("./", import.meta.url),
  worker: new URL("./calibration_worker.js", import.meta.url),
});
const interruption = new AbortController();
process.on(
  "SIGINT",
  () => interruption.abort(new DOMException("Interrupted", "AbortError")),
);
process.exit(await runCli(process.argv.slice(2), host, interruption.signal));
