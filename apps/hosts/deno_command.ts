/**
 * Entry of the thread that runs a command under Deno; see `apps/cli/supervised.ts`.
 *
 * @module
 */
import type { FromCommand, ToCommand } from "../cli/supervised.ts";
import { UNHANDLED, unhandledMessage } from "../cli/unhandled.ts";
import { runThread } from "./deno_thread.ts";

runThread<ToCommand, FromCommand>(async (post) => {
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
    post({ code: UNHANDLED });
  });
  return commandThread(
    (args, signal) => runCli(args, { ...denoHost, terminal: denoTerminal }, signal),
    post,
  );
});
