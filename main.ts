/**
 * Plimsoll's command line under Deno: arguments → one command → exit code.
 *
 * @module
 */
import { runCli } from "./pipeline/cli/run.ts";
import { denoHost } from "./pipeline/host/deno.ts";

if (import.meta.main) {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort(new DOMException("Interrupted", "AbortError"));
  Deno.addSignalListener("SIGINT", interrupt);
  const code = await runCli(Deno.args, denoHost, interruption.signal);
  Deno.removeSignalListener("SIGINT", interrupt);
  Deno.exit(code);
}
