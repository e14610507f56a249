// Runs a worker in workerd, on Node: `node miniflare.mjs FOLDER [VARIABLES as JSON]`. Prints one line of JSON with its
// address and workerd's process id, and ends when its standard input ends.
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [folder, variables = "{}"] = process.argv.slice(2);
const require = createRequire(resolve("build/npm/package.json"));
const { Miniflare } = require("miniflare");

const started = performance.now();
const others = readdirSync(folder).filter((name) =>
  /\.(js|wasm)$/.test(name) && name !== "worker.js"
);
const miniflare = new Miniflare({
  modules: [
    { type: "ESModule", path: join(resolve(folder), "worker.js") },
    ...others.map((name) => ({
      type: name.endsWith(".wasm") ? "CompiledWasm" : "ESModule",
      path: join(resolve(folder), name),
    })),
  ],
  modulesRoot: resolve(folder),
  compatibilityDate: "2026-04-01",
  compatibilityFlags: ["enable_request_signal"],
  bindings: JSON.parse(variables),
  telemetry: { enabled: false },
});
const url = await miniflare.ready;
const milliseconds = performance.now() - started;
const children = execFileSync("ps", ["-o", "pid=,comm=", "--ppid", String(process.pid)], {
  encoding: "utf8",
});
const pid = Number(/(\d+) workerd/.exec(children)?.[1]);
process.stdout.write(`${JSON.stringify({ url: url.href, pid, milliseconds })}\n`);
process.stdin.resume();
process.stdin.on("end", async () => {
  await miniflare.dispose();
  process.exit();
});
