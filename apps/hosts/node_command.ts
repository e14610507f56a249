/**
 * Entry of the thread that runs a command under Node; see `apps/cli/supervised.ts`.
 *
 * @module
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import type { Host } from "../../core/host.ts";
import { runCli } from "../cli/run.ts";
import { commandThread } from "../cli/supervised.ts";
import { UNHANDLED, unhandledMessage } from "../cli/unhandled.ts";
import { installedHost } from "./node_installed.ts";
import { supplyNodeRuntime } from "./node_runtime.ts";
import { type Columns, INPUT_WANTED } from "./node_terminal.ts";

const port = parentPort!;
/** As the first thread found them: others can't ask. */
const columns = workerData as Columns;

async function makeHost(): Promise<Host> {
  await supplyNodeRuntime("wasm");
  // This file is bundled into the root of the package.
  const host = installedHost(new URL("./", import.meta.url));
  return {
    ...host,
    openInput: () => {
      // The first thread has it, and passes it on from now on.
      port.postMessage(INPUT_WANTED);
      return host.openInput();
    },
    isTerminal: columns.error !== undefined,
    terminal: {
      outputColumns: () => columns.output,
      errorColumns: () => columns.error,
      environment: (name) => process.env[name],
    },
  };
}

process.on("unhandledRejection", (reason) => {
  writeSync(2, unhandledMessage(reason));
  port.postMessage({ code: UNHANDLED });
});

const ready = makeHost();
const take = commandThread(
  async (args, signal) => await runCli(args, await ready, signal),
  (message) => port.postMessage(message),
);
port.on("message", take);
