/**
 * The terminal of a Node process, which only its first thread can see.
 *
 * @module
 */
import process from "node:process";

/** Columns of the standard streams; undefined where they are no terminals. */
export interface Columns {
  readonly output: number | undefined;
  readonly error: number | undefined;
}

/** Columns now. */
export function terminalColumns(): Columns {
  const { stdout, stderr } = process;
  return {
    output: stdout.isTTY ? stdout.columns : undefined,
    error: stderr.isTTY ? stderr.columns : undefined,
  };
}

/** What the thread of a command says when it wants standard input. */
export const INPUT_WANTED = "input";
