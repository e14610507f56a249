/** Servers of other processes, for tests. */
import assert from "node:assert/strict";
import { EDGE_FOLDER, WORKERD } from "../../build/workers.ts";
import { TextLineStream } from "./text_lines.ts";

/** A running server. */
export interface Server {
  /** Its address, with a slash at the end. */
  readonly url: string;
  /** Process that does the work. */
  readonly pid: number;
  /** Milliseconds until it answered. */
  readonly milliseconds: number;
  /** Resolves when its process has ended by itself; absent where nobody watches. */
  readonly ended?: Promise<unknown>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `deno serve` with the task's permissions. */
export async function serveDeno(variables: Record<string, string> = {}): Promise<Server> {
  const started = performance.now();
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...[
        "serve",
        "--lock=deno.lock",
        "--port",
        "0",
        "--no-prompt",
        "--allow-read",
        "--allow-env=PLIMSOLL_*",
      ],
      "apps/hosts/serve_deno.ts",
    ],
    env: { ...variables, NO_COLOR: "1" },
    ...{ stdin: "null", stdout: "null", stderr: "piped" },
  }).spawn();
  const lines = process.stderr.pipeThrough(new TextLineStream());
  let url: string | undefined;
  const seen: string[] = [];
  for await (const line of lines.values({ preventCancel: true })) {
    seen.push(line);
    url = /Listening on (http:\/\/[^ ]+)/.exec(line)?.[1];
    if (url !== undefined) break;
  }
  assert.ok(url, seen.join("\n"));
  // What else it says is dropped, so that its pipe never fills.
  const rest = lines.pipeTo(new WritableStream());
  url = url.replace("0.0.0.0", "127.0.0.1").replace(/\/?$/, "/");
  return {
    ...{ url, pid: process.pid, milliseconds: performance.now() - started },
    ended: process.status,
    [Symbol.asyncDispose]: async () => {
      // Told twice, it doesn't wait for what is at work.
      process.kill("SIGKILL");
      await process.status;
      await rest.catch(() => {});
    },
  };
}

/** A worker of `dist/` in workerd, by miniflare on Node. */
export async function serveWorkerd(
  folder: string,
  variables: Record<string, string> = {},
): Promise<Server> {
  const process = new Deno.Command("node", {
    args: ["tests/support/hosts/miniflare.mjs", folder, JSON.stringify(variables)],
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  const reader = process.stdout.pipeThrough(new TextLineStream()).getReader();
  const errors = new Response(process.stderr).text();
  const { value } = await reader.read();
  assert.ok(value, value ?? await errors);
  return {
    ...JSON.parse(value),
    [Symbol.asyncDispose]: async () => {
      await process.stdin.close();
      await process.status;
      await reader.cancel();
      await errors;
    },
  };
}

/** The edge bundle in workerd, with the 32 MiB of JavaScript heap that `edge.capnp` allows. */
export async function serveEdge(): Promise<Server> {
  const port = freePort();
  const started = performance.now();
  const process = new Deno.Command(WORKERD, {
    args: [
      ...["serve", new URL("edge.capnp", EDGE_FOLDER).pathname],
      `--socket-addr=http=127.0.0.1:${port}`,
    ],
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
  const url = `http://127.0.0.1:${port}/`;
  for (let i = 0; !await fetch(`${url}health`).then((answer) => answer.text(), () => ""); i++) {
    assert.ok(i < 300, "workerd doesn't answer");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    ...{ url, pid: process.pid, milliseconds: performance.now() - started },
    [Symbol.asyncDispose]: async () => {
      process.kill();
      await process.status;
    },
  };
}

/** A port that nobody listens on. */
function freePort(): number {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

/** Most memory that a process has had, and what it has now, in bytes (Linux). */
export async function memoryOf(pid: number): Promise<{ peak: number; now: number }> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const read = (name: string) =>
    Number(new RegExp(`${name}:\\s*(\\d+) kB`).exec(status)![1]) * 1024;
  return { peak: read("VmHWM"), now: read("VmRSS") };
}
