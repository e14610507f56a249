/** That what a worker takes is seen, whatever it takes it as: tests of limits say nothing otherwise. */
import assert from "node:assert/strict";
import { serveMeasured } from "../../build/isolate_memory.ts";
import { install } from "../../build/install.ts";
import { inFolder } from "../support/cli.ts";

const WORKER = `
const kept = [];
const take = {
  buffer: () => new Uint8Array(40e6).fill(1),
  memory: () => new WebAssembly.Memory({ initial: 640 }),
  shared: () => new WebAssembly.Memory({ initial: 640, maximum: 640, shared: true }),
  grown: () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    memory.grow(640);
    return memory;
  },
  heap: () => Array.from({ length: 4e6 }, (_, i) => i + 0.5),
};
export default {
  fetch: (request) => {
    const make = take[new URL(request.url).pathname.slice(1)];
    if (make !== undefined) kept.push(make());
    return new Response("taken");
  },
};
`;
const CONFIG = `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "worker.js", esModule = embed "worker.js")],
    compatibilityDate = "2026-04-01",
  ))],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "main")],
  v8Flags = ["--max-heap-size=128"],
);
`;

Deno.test("array buffers, WebAssembly memories and JavaScript's heap are measured", async () => {
  await install();
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/worker.js`, WORKER);
    await Deno.writeTextFile(`${folder}/worker.capnp`, CONFIG);
    await using server = await serveMeasured(new URL(`file://${folder}/worker.capnp`));
    let before = await server.peak();
    assert.ok(before.chargedBytes < 10e6, `${before.chargedBytes} bytes of an empty worker`);
    const taken = [
      ["buffer", "bufferBytes", 40e6],
      ["memory", "wasmBytes", 640 * 65536],
      ["shared", "wasmBytes", 640 * 65536],
      ["grown", "wasmBytes", 640 * 65536],
      ["heap", "heapBytes", 16e6],
    ] as const;
    for (const [what, kind, bytes] of taken) {
      await (await fetch(server.url + what)).text();
      const now = await server.peak();
      assert.ok(now[kind] - before[kind] >= bytes, `${what}: ${now[kind] - before[kind]} bytes`);
      assert.ok(now.chargedBytes - before.chargedBytes >= bytes, what);
      before = now;
    }
  });
});
