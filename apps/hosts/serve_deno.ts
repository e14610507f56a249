/**
 * The HTTP handler under Deno, and the page for browsers where it is built: `deno serve` and Deno Deploy take the default export.
 *
 * @module
 */
import { createHandler, type Handler } from "../http/mod.ts";
import { serverSettings } from "../http/settings.ts";
import { startRequestWorker } from "./deno.ts";
import { pageFile } from "./page_files.ts";

const encoder = new TextEncoder();
const handler: Handler = createHandler({
  ...serverSettings(
    (name) => Deno.env.get(name),
    (line) => Deno.stderr.writeSync(encoder.encode(line)),
  ),
  startWorker: startRequestWorker,
  residentBytes: () => Deno.memoryUsage().rss,
});

/** Ends when what is at work has ended, or its time is up; at once when told again. */
let isEnding = false;
async function end(): Promise<void> {
  if (!isEnding) {
    isEnding = true;
    await handler.close();
  }
  Deno.exit(0);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  try {
    Deno.addSignalListener(signal, end);
  } catch {
    // Not on this system, or not allowed here, as on Deno Deploy.
  }
}

export default {
  fetch: async (request: Request) => await pageFile(request) ?? await handler.fetch(request),
} satisfies Pick<Handler, "fetch">;
