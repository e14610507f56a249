/**
 * `serve`: the HTTP handler on a port of this machine.
 *
 * @module
 */
import type { Command } from "commander";
import { PlimsollError } from "../../core/errors.ts";
import { createHandler } from "../http/mod.ts";
import { serverSettings } from "../http/settings.ts";
import type { Context } from "./context.ts";
import { portNumber } from "./option_values.ts";

interface ServeCommandOptions {
  port: number;
  host: string;
}

/** Adds the command to the program. */
export function addServeCommand(program: Command, context: Context): void {
  program.command("serve")
    .description("answer HTTP: calibrate, search, emit and quantize for clients")
    .option("--port <n>", "port; 0 for any that is free", portNumber, 8000)
    .option("--host <name>", "address of this machine to listen on; 0.0.0.0 for all", "127.0.0.1")
    .addHelpText(
      "after",
      `
Examples:
  deno task serve --port 9000
  curl -F model=@m.onnx -F samples=@images.tar -o q.onnx 'localhost:9000/v1/quantize?preprocess=imagenet'

/ shows the page for browsers once deno task build:browser has made it; /openapi.json describes the rest. PLIMSOLL_TOKEN asks clients for a token, PLIMSOLL_MAX_… set limits, PLIMSOLL_LOG=none keeps quiet: docs/hosts.md.
`,
    )
    .action((options: ServeCommandOptions) => run(options, context));
}

async function run({ port, host: hostname }: ServeCommandOptions, context: Context): Promise<void> {
  const { host, signal } = context;
  if (host.serve === undefined) {
    throw new PlimsollError("usage", {
      action: "serving",
      wanted: "a host that can listen",
      found: "one that can't",
      remedy: "Use the command line under Deno or Node",
    });
  }
  const handler = createHandler({
    ...serverSettings(
      (name) => host.terminal?.environment(name),
      (line) => host.printError(line),
      hostname,
    ),
    startWorker: host.startRequestWorker?.bind(host),
    residentBytes: host.residentBytes?.bind(host),
  });
  await host.serve({
    port,
    hostname,
    signal,
    settle: () => handler.close(),
    fetch: async (request) => await host.pageFile?.(request) ?? await handler.fetch(request),
    onListen: (url) => host.printError(`Listening on ${url}\n`),
  });
}
