/**
 * Plimsoll's command line under Deno: arguments → one command → exit code.
 *
 * @module
 */
import { runCli } from "./apps/cli/run.ts";
import { LAUNCHED } from "./apps/cli/permissions.ts";
import { UNHANDLED, unhandledMessage } from "./apps/cli/unhandled.ts";
import type { Terminal } from "./core/host.ts";
import { denoHost } from "./apps/hosts/deno.ts";

/** The terminal of this process. */
const terminal: Terminal = {
  outputColumns: () => Deno.stdout.isTerminal() ? Deno.consoleSize().columns : undefined,
  errorColumns: () => Deno.stderr.isTerminal() ? Deno.consoleSize().columns : undefined,
  environment: (name) => {
    try {
      return Deno.env.get(name);
    } catch {
      return undefined; // Not allowed to look: as if it weren't set.
    }
  },
};

/** How often to look whether the process that started this one is still there. */
const PARENT_MS = 250;

/** Ends when `launch.ts` was killed: whoever did that meant this process, which would go on by itself otherwise. */
function endWithParent(): void {
  const { ppid } = Deno;
  const timer = setInterval(() => {
    if (Deno.ppid !== ppid) Deno.exit(1);
  }, PARENT_MS);
  Deno.unrefTimer(timer);
}

if (import.meta.main) {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    denoHost.printError(unhandledMessage(event.reason));
    Deno.exit(UNHANDLED);
  });
  const interruption = new AbortController();
  const interrupt = () => interruption.abort(new DOMException("Interrupted", "AbortError"));
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  for (const signal of signals) Deno.addSignalListener(signal, interrupt);
  const isLaunched = Deno.args[0] === LAUNCHED;
  if (isLaunched) endWithParent();
  const code = await runCli(
    Deno.args.slice(isLaunched ? 1 : 0),
    { ...denoHost, terminal },
    interruption.signal,
  );
  for (const signal of signals) Deno.removeSignalListener(signal, interrupt);
  Deno.exit(code);
}
