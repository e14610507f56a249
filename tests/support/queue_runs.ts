/** Runs over a queue, for tests. */
import assert from "node:assert/strict";
import { Command, type Server } from "./queue_servers.ts";

/** Runs a test with a server and a folder, both of which go afterwards. */
export async function withServer(
  start: (folder: string) => Promise<Server>,
  test: (server: Server, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  // PostgreSQL's user must get through.
  await Deno.chmod(folder, 0o755);
  await Deno.mkdir(`${folder}/server`);
  const server = await start(`${folder}/server`);
  try {
    await test(server, folder);
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Ends a command well, or shows what it said; gives that. */
export async function finish(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const command = new Command(args, env);
  assert.equal(await command.end(), 0, command.text);
  return command.text;
}

/** Fails where two files differ. */
export async function sameFile(one: string, other: string): Promise<void> {
  const [a, b] = await Promise.all([Deno.readFile(one), Deno.readFile(other)]);
  assert.ok(a.length === b.length && a.every((byte, i) => byte === b[i]), `${one}, ${other}`);
}
