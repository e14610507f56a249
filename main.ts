/**
 * Plimsoll's command line under Deno: arguments → one command → exit code.
 *
 * @module
 */
import { LAUNCHED } from "./apps/cli/permissions.ts";
import { abortOrExit, type FromCommand, interrupter } from "./apps/cli/supervised.ts";

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
    command: args[0],
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
  const { signal, interrupt } = abortOrExit((code) => Deno.exit(code));
  onInterrupt(interrupt);
  Deno.exit(await runCli(args, { ...denoHost, terminal: denoTerminal }, signal));
}

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
  const isLaunched = Deno.args[0] === LAUNCHED;
  if (isLaunched) endWithParent();
  const args = Deno.args.slice(isLaunched ? 1 : 0);
  if (args[0] === "serve") await serve(args);
  else supervise(args);
}
