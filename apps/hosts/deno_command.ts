/**
 * Entry of the thread that runs a command under Deno; see `apps/cli/supervised.ts`.
 *
 * @module
 */
import type { FromCommand, ToCommand } from "../cli/supervised.ts";
import { UNHANDLED, unhandledMessage } from "../cli/unhandled.ts";

/** As much of the worker's global scope as is needed. */
const scope = globalThis as unknown as {
  location?: { origin?: string };
  onmessage: (event: MessageEvent<ToCommand>) => void;
  postMessage(message: FromCommand): void;
};

// Under Deno location.origin is "null" in a worker, and onnxruntime-web stumbles over it when imported.
if (scope.location?.origin === "null") Reflect.deleteProperty(scope, "location");

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
