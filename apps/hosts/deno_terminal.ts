/**
 * The terminal of a Deno process, in whichever of its threads.
 *
 * @module
 */
import type { Terminal } from "../../core/host.ts";

/** The terminal of this process. */
export const denoTerminal: Terminal = {
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
