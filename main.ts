/**
 * Plimsoll's command line under Deno: arguments → one command → exit code.
 *
 * @module
 */
import { type FromCommand, interrupter } from "./apps/cli/supervised.ts";

/** Calls something when the user or the system wants this process to end. */
function onInterrupt(interrupt: () => void): void {
  Deno.addSignalListener("SIGINT", interrupt);
  // Windows has no other.
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", interrupt);
}

function printError(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}

/** Runs a command in a thread of its own; this one listens. */
function supervise(args: readonly string[]): void {
  const worker = new Worker(new URL("./apps/hosts/deno_command.ts", import.meta.url), {
    type: "module",
  });
  worker.onmessage = ({ data }: MessageEvent<FromCommand>) => Deno.exit(data.code);
  worker.onerror = (event) => {
    event.preventDefault();
    printError(`plimsoll: this is a defect of plimsoll, please report it\n${event.message}\n`);
    Deno.exit(1);
  };
  onInterrupt(interrupter({
    post: (message) => worker.postMessage(message),
    printError,
    exit: (code) => Deno.exit(code),
  }));
  worker.postMessage({ kind: "start", args });
}

/** A server runs in this thread: its requests have threads of their own. */
async function serve(args: readonly string[]): Promise<void> {
  const [{ runCli }, { denoHost }, { denoTerminal }] = await Promise.all([
    import("./apps/cli/run.ts"),
    import("./apps/hosts/deno.ts"),
    import("./apps/hosts/deno_terminal.ts"),
  ]);
  const interruption = new AbortController();
  onInterrupt(() => {
    if (interruption.signal.aborted) Deno.exit(130);
    interruption.abort(new DOMException("Interrupted", "AbortError"));
  });
  Deno.exit(await runCli(args, { ...denoHost, terminal: denoTerminal }, interruption.signal));
}

if (import.meta.main) {
  if (Deno.args[0] === "serve") await serve(Deno.args);
  else supervise(Deno.args);
}
