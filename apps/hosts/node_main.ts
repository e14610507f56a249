/**
 * Plimsoll's command line under Node: `npx plimsoll`.
 *
 * @module
 */
import process from "node:process";
import { runCli } from "../cli/run.ts";
import type { Terminal } from "../../core/host.ts";
import { createNodeHost } from "./node.ts";
import { supplyNodeRuntime } from "./node_runtime.ts";

await supplyNodeRuntime("wasm");
const host = createNodeHost({
  // This file is bundled into the root of the package.
  root: new URL("./", import.meta.url),
  worker: new URL("./calibration_worker.js", import.meta.url),
  requestWorker: new URL("./request_worker.js", import.meta.url),
});
/** The terminal of this process. */
const terminal: Terminal = {
  outputColumns: () => process.stdout.isTTY ? process.stdout.columns : undefined,
  errorColumns: () => process.stderr.isTTY ? process.stderr.columns : undefined,
  environment: (name) => process.env[name],
};
const interruption = new AbortController();
process.on(
  "SIGINT",
  () => interruption.abort(new DOMException("Interrupted", "AbortError")),
);
process.exit(await runCli(process.argv.slice(2), { ...host, terminal }, interruption.signal));
