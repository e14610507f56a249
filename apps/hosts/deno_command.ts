/**
 * Entry of the thread that runs a command under Deno; see `apps/cli/supervised.ts`.
 *
 * @module
 */
import { dropNullLocation } from "../../core/worker_location.ts";
import type { FromCommand, ToCommand } from "../cli/supervised.ts";
import { UNHANDLED, unhandledMessage } from "../cli/unhandled.ts";

/** As much of the worker's global scope as is needed. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ToCommand>) => void;
  postMessage(message: FromCommand): void;
};

dropNullLocation();

const ready = load();
scope.onmessage = async ({ data }) => (await ready)(data);

async function load(): Promise<(message: ToCommand) => void> {
  const [{ commandThread }, { runCli }, { denoHost }, { denoTerminal }] = await Promise.all([
    import("../cli/supervised.ts"),
    import("../cli/run.ts"),
    import("./deno.ts"),
    import("./deno_terminal.ts"),
  ]);
  // Events of this kind stay in the thread where they are.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    denoHost.printError(unhandledMessage(event.reason));
    scope.postMessage({ code: UNHANDLED });
  });
  return commandThread(
    (args, signal) => runCli(args, { ...denoHost, terminal: denoTerminal }, signal),
    (message) => scope.postMessage(message),
  );
}
