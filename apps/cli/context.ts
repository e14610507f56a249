/**
 * What every command gets.
 *
 * @module
 */
import type { Host } from "../../core/host.ts";
import type { Screen } from "./screen.ts";

/** Exit code of a command that did its work, and whose model lost what it is for. */
export const EXIT_LOST = 3;

/** Host and cancellation of one invocation. */
export interface Context {
  readonly host: Host;
  /** Standard error; what `host` prints goes through it. */
  readonly screen: Screen;
  /** The arguments, for the record of the run. */
  readonly args: readonly string[];
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
  /** Exit code of a command that ended well; 0 when absent. */
  exitCode?: number;
  /** A run in a queue, whose shards' results are kept when the user interrupts. */
  run?: string;
  /** Statistics that were written before an interruption. */
  saved?: string;
  /** Checkpoint that is kept when the user interrupts; set by commands that write one. */
  kept?: string;
}
