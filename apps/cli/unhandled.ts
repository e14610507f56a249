/**
 * The last net: a promise that failed and that nobody waited for.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { commandLineWording } from "../../core/option_words.ts";
import { visible, visibleLine } from "../../core/visible.ts";

/** Exit code of a process that ends by it. */
export const UNHANDLED = 1;

/** What to say, once, before the process ends; without it engines print traces of their own, or go on as if nothing were. */
export function unhandledMessage(reason: unknown): string {
  if (reason instanceof PlimsollError) {
    return `\nplimsoll: ${visibleLine(reason.messageIn(commandLineWording))}\n`;
  }
  const trace = reason instanceof Error ? reason.stack ?? reason.message : String(reason);
  return `\nplimsoll: this is a defect of plimsoll, please report it\n${visible(trace)}\n`;
}
