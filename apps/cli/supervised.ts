/**
 * A command in a thread of its own, watched by the process' first one: inference keeps its thread, and what is at work
 * there hears no signal. A model can be written so that it never ends.
 *
 * @module
 */

/** From the thread that watches to the one that works. */
export type ToCommand =
  | { readonly kind: "start"; readonly args: readonly string[] }
  | { readonly kind: "interrupt" };

/** Its exit code, when the command has ended. */
export interface FromCommand {
  readonly code: number;
}

/** A thread with a command, and the process around it. */
export interface Supervision {
  /** Tells the command. */
  readonly post: (message: ToCommand) => void;
  /** Prints to standard error. */
  readonly printError: (text: string) => void;
  /** Ends the process, whatever its threads do. */
  readonly exit: (code: number) => void;
  /** Name of the command. */
  readonly command?: string;
}

/** Time that a command has to end by itself when it is interrupted, in milliseconds. */
const GRACE_MS = 4000;
/** The same of a worker, which hands its shards back. */
const WORKER_GRACE_MS = 9500;
/** Exit code of what was interrupted. */
export const INTERRUPTED = 130;

/** What an interruption aborts with. */
const interrupted = () => new DOMException("Interrupted", "AbortError");

/**
 * What to do when the user or the system interrupts: the command is told, and ended when it doesn't listen, or when it
 * is told twice.
 */
export function interrupter({ post, printError, exit, command }: Supervision): () => void {
  let isInterrupted = false;
  return () => {
    if (isInterrupted) return exit(INTERRUPTED);
    isInterrupted = true;
    post({ kind: "interrupt" });
    setTimeout(() => {
      printError(
        "\nInterrupted: what was at work didn't stop, and was ended; no file is half written, a checkpoint holds what was counted\n",
      );
      exit(INTERRUPTED);
    }, command === "worker" ? WORKER_GRACE_MS : GRACE_MS);
  };
}

/** The same for what runs in the first thread itself, as a server does: told once, and ended when it is told twice. */
export function abortOrExit(
  exit: (code: number) => void,
): { readonly signal: AbortSignal; readonly interrupt: () => void } {
  const interruption = new AbortController();
  const { signal } = interruption;
  return {
    signal,
    interrupt: () => signal.aborted ? exit(INTERRUPTED) : interruption.abort(interrupted()),
  };
}

/** Takes the messages of the thread that watches: runs the command, and tells its exit code. */
export function commandThread(
  run: (args: readonly string[], signal: AbortSignal) => Promise<number>,
  post: (message: FromCommand) => void,
): (message: ToCommand) => void {
  const interruption = new AbortController();
  return (message) => {
    if (message.kind === "interrupt") {
      return interruption.abort(interrupted());
    }
    run(message.args, interruption.signal).then((code) => post({ code }));
  };
}
