/**
 * What every command gets.
 *
 * @module
 */
import type { Host } from "../core/host.ts";

/** Host and cancellation of one invocation. */
export interface Context {
  readonly host: Host;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
  /** Checkpoint that is kept when the user interrupts; set by commands that write one. */
  kept?: string;
}
