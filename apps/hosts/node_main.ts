/**
 * Plimsoll's command line under Node: `npx plimsoll`.
 *
 * @module
 */
import process from "node:process";
import { writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { runCli } from "../cli/run.ts";
import { UNHANDLED, unhandledMessage } from "../cli/unhandled.ts";
import { abortOrExit, type FromCommand, interrupter } from "../cli/supervised.ts";
import { installedHost } from "./node_installed.ts";
import { supplyNodeRuntime } from "./node_runtime.ts";
import { INPUT_WANTED, terminalColumns } from "./node_terminal.ts";

// This file is bundled into the root of the package.
const ROOT = new URL("./", import.meta.url);

process.on("unhandledRejection", (reason) => {
  writeSync(2, unhandledMessage(reason));
  process.exit(UNHANDLED);
});

/** Calls something when the user or the system wants this process to end. */
function onInterrupt(interrupt: () => void): void {
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, interrupt);
}

/** Runs a command in a thread of its own; this one listens. */
function supervise(args: readonly string[]): void {
  const thread = new Worker(new URL("command.js", ROOT), {
    workerData: terminalColumns(),
    stdin: true,
  });
  const exit = (code: number) => process.exit(code);
  thread.on("message", (message: FromCommand | typeof INPUT_WANTED) => {
    if (message === INPUT_WANTED) process.stdin.pipe(thread.stdin!);
    else exit(message.code);
  });
  thread.on("error", (error: Error) => {
    writeSync(2, `plimsoll: this is a defect of plimsoll, please report it\n${error.stack}\n`);
    exit(1);
  });
  onInterrupt(interrupter({
    post: (message) => thread.postMessage(message),
    printError: (text) => void writeSync(2, text),
    exit,
    command: args[0],
  }));
  thread.postMessage({ kind: "start", args });
}

/** A server runs in this thread: its requests have threads of their own. */
async function serve(args: readonly string[]): Promise<void> {
  await supplyNodeRuntime("wasm");
  const { signal, interrupt } = abortOrExit((code) => process.exit(code));
  onInterrupt(interrupt);
  const terminal = {
    outputColumns: () => terminalColumns().output,
    errorColumns: () => terminalColumns().error,
    environment: (name: string) => process.env[name],
  };
  process.exit(await runCli(args, { ...installedHost(ROOT), terminal }, signal));
}

const args = process.argv.slice(2);
if (args[0] === "serve") await serve(args);
else supervise(args);
