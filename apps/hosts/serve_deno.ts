/**
 * The HTTP handler under Deno, and the page for browsers where it is built: `deno serve` and Deno Deploy take the default export.
 *
 * @module
 */
import { createHandler, type Handler } from "../http/mod.ts";
import { settingsFrom } from "../http/settings.ts";
import { pageFile } from "./page_files.ts";

const handler: Handler = createHandler({
  ...settingsFrom((name) => Deno.env.get(name)),
  // To the log of the server; clients don't see it.
  onDefect: (error) => Deno.stderr.writeSync(new TextEncoder().encode(`${describe(error)}\n`)),
});

function describe(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

export default {
  fetch: async (request) => await pageFile(request) ?? await handler.fetch(request),
} satisfies Handler;
