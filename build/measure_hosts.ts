/**
 * Measures every host on the demo: time, memory and sizes, and whether the bytes are those of the command line.
 * Writes the table of `docs/hosts.md`.
 *
 *     deno run -A build/measure_hosts.ts
 *
 * A development tool; nothing that ships imports it. Linux only: memory is read from /proc.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { BROWSER_FOLDER } from "./browser.ts";
import { stopBundling } from "./bundle.ts";
import { buildOnce } from "./cached.ts";
import { run } from "./install.ts";
import { serveMeasured } from "./isolate_memory.ts";
import { measureBrowser } from "./measure_browser.ts";
import { buildPackage, PACKAGE_FILE } from "./npm_package.ts";
import { buildWorkers, EDGE_FOLDER, WORKERD, WORKERD_FOLDER } from "./workers.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const DOCUMENT = new URL("../docs/hosts.md", import.meta.url);
const [BEGIN, END] = ["<!-- measured: begin -->", "<!-- measured: end -->"];
const DATA = `${ROOT}data/fashion/calibration-images-idx3-ubyte.gz`;
const MODEL = `${ROOT}data/fashion/model.onnx`;
const SAMPLES = 1000;

interface Row {
  readonly host: string;
  /** Bytes of statistics.plim, or of the model where there are no other. */
  readonly bytes: Uint8Array;
  /** Seconds from the start of the process to its first answer; of a command, none. */
  readonly start?: number;
  /** Seconds for 1,000 samples; of a command, with its start. */
  readonly work: number;
  /** Most memory of the process. */
  readonly peakBytes: number;
  /** What an isolate is charged for, at most: its heap, its buffers, its WebAssembly memories. */
  readonly chargedBytes?: number;
  /** Code that is deployed, as gzip. */
  readonly packedBytes?: number;
}

/** A command, with the peak of the memory of its process and of those it has started. */
async function measureCommand(host: string, command: string[], cwd: string): Promise<Row> {
  const out = `${cwd}/${host.replace(/\W+/g, "-")}.plim`;
  const started = performance.now();
  const process = new Deno.Command(command[0], {
    args: [...command.slice(1), "--out", out, "--quiet"],
    cwd,
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const peak = watchMemory(process.pid);
  const { success, stderr } = await process.output();
  if (!success) throw new Error(`${host}: ${new TextDecoder().decode(stderr)}`);
  const work = (performance.now() - started) / 1000;
  return { host, bytes: await Deno.readFile(out), work, peakBytes: await peak() };
}

/** Asks for the memory of a process, twenty times a second; gives the peak when it is asked. */
function watchMemory(pid: number): () => Promise<number> {
  let [peak, isOver] = [0, false];
  const watching = (async () => {
    while (!isOver) {
      const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
      peak = Math.max(peak, 1024 * Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return async () => {
    isOver = true;
    await watching;
    return peak;
  };
}

interface Served {
  readonly url: string;
  readonly pid: number;
  readonly start: number;
  readonly stop: () => Promise<void>;
}

async function serveDeno(): Promise<Served> {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const started = performance.now();
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "serve",
      "--lock=deno.lock",
      "--port",
      String(port),
      "--allow-read",
      "--allow-env=PLIMSOLL_*",
      "apps/hosts/serve_deno.ts",
    ],
    cwd: ROOT,
    stdout: "null",
    stderr: "null",
  }).spawn();
  return await answering(port, process, started);
}

async function serveWorkerd(folder: URL): Promise<Served> {
  const process = new Deno.Command("node", {
    args: ["tests/support/hosts/miniflare.mjs", folder.pathname],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  const { url, pid, milliseconds } = JSON.parse(new TextDecoder().decode(value));
  return {
    url,
    pid,
    start: milliseconds / 1000,
    stop: async () => {
      await process.stdin.close();
      await process.status;
      await reader.cancel();
    },
  };
}

async function serveEdge(): Promise<Served> {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const started = performance.now();
  const process = new Deno.Command(WORKERD, {
    args: [
      "serve",
      new URL("edge.capnp", EDGE_FOLDER).pathname,
      `--socket-addr=http=127.0.0.1:${port}`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return await answering(port, process, started);
}

/** Waits for the first answer. */
async function answering(
  port: number,
  process: Deno.ChildProcess,
  started: number,
): Promise<Served> {
  const url = `http://127.0.0.1:${port}/`;
  while (!await fetch(`${url}health`).then((response) => response.text(), () => "")) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const start = (performance.now() - started) / 1000;
  return {
    url,
    pid: process.pid,
    start,
    stop: async () => {
      process.kill();
      await process.status;
    },
  };
}

async function measureServer(
  host: string,
  { url, pid, start, stop }: Served,
  ask: (url: string) => Promise<Response>,
): Promise<Row> {
  const peak = watchMemory(pid);
  const started = performance.now();
  const response = await ask(url);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (!response.ok) throw new Error(`${host}: ${new TextDecoder().decode(bytes)}`);
  const work = (performance.now() - started) / 1000;
  const peakBytes = await peak();
  await stop();
  return { host, bytes, start, work, peakBytes };
}

/** A worker's answer to the same request once more, with its isolate watched. */
async function measureCharged(
  config: URL,
  ask: (url: string) => Promise<Response>,
): Promise<number> {
  await using server = await serveMeasured(config);
  const response = await ask(server.url);
  const answer = await response.text();
  if (!response.ok) throw new Error(`${config}: ${answer}`);
  return (await server.peak()).chargedBytes;
}

async function form(parts: Record<string, string | Uint8Array>): Promise<FormData> {
  const data = new FormData();
  for (const [name, content] of Object.entries(parts)) {
    const bytes = typeof content === "string" ? await Deno.readFile(content) : content;
    data.append(name, new Blob([bytes as Uint8Array<ArrayBuffer>]), name);
  }
  return data;
}

async function packedSize(folder: URL): Promise<number> {
  let size = 0;
  for await (const { name } of Deno.readDir(folder)) {
    if (/\.(js|wasm)$/.test(name)) {
      size += gzipSync(await Deno.readFile(new URL(name, folder))).length;
    }
  }
  return size;
}

async function measure(): Promise<string> {
  await buildOnce(new URL(".stamp", EDGE_FOLDER), buildWorkers);
  await buildOnce(new URL("npm.stamp", PACKAGE_FILE), buildPackage);
  await stopBundling();
  const folder = await Deno.makeTempDir({ prefix: "plimsoll-hosts-" });
  try {
    await Deno.writeTextFile(`${folder}/package.json`, '{"private": true}');
    await run("npm", [
      "install",
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      "--prefer-offline",
      PACKAGE_FILE.pathname,
      "onnxruntime-node@1.30.0",
    ], { cwd: folder, env: { ONNXRUNTIME_NODE_INSTALL: "skip" } });
    const calibrate = ["calibrate", "--samples", String(SAMPLES)];
    const cli = [
      "run",
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      "--allow-env",
      `${ROOT}main.ts`,
    ];
    const node = ["node", "node_modules/plimsoll/plimsoll.js", ...calibrate];
    const query = new URLSearchParams({
      samples: String(SAMPLES),
      "samples-bytes": String((await Deno.stat(DATA)).size),
      preprocess: await Deno.readTextFile(`${ROOT}data/fashion/preprocess.json`),
    });
    const askAll = async (url: string) =>
      await fetch(`${url}v1/calibrate?${query}`, {
        method: "POST",
        body: await form({ model: MODEL, samples: DATA }),
      });
    const rows: Row[] = [];
    rows.push(
      await measureCommand("Deno, command line", [Deno.execPath(), ...cli, ...calibrate], folder),
    );
    rows.push(await measureCommand("Node, npx plimsoll", node, folder));
    rows.push(
      await measureCommand("Node, --runtime native", [...node, "--runtime", "native"], folder),
    );
    rows.push(await measureServer("deno serve", await serveDeno(), askAll));
    rows.push({
      ...await measureServer("workerd", await serveWorkerd(WORKERD_FOLDER), askAll),
      chargedBytes: await measureCharged(new URL("workerd.capnp", WORKERD_FOLDER), askAll),
      packedBytes: await packedSize(WORKERD_FOLDER),
    });
    rows.push({
      host: "browser, Chromium",
      ...await measureBrowser(),
      packedBytes: await packedSize(BROWSER_FOLDER),
    });
    await stopBundling();
    const [{ bytes: statistics }] = rows;
    const askEdge = async (url: string) =>
      await fetch(`${url}v1/search`, {
        method: "POST",
        body: await form({ statistics, model: MODEL }),
      });
    const edge = {
      ...await measureServer("workerd, edge bundle", await serveEdge(), askEdge),
      chargedBytes: await measureCharged(new URL("edge.capnp", EDGE_FOLDER), askEdge),
      packedBytes: await packedSize(EDGE_FOLDER),
    };
    await run(Deno.execPath(), [
      ...[...cli, "search", "--statistics", `${folder}/Deno-command-line.plim`],
      ...["--model", MODEL, "--out", `${folder}/manifest.json`],
    ], { cwd: folder });
    const manifest = await Deno.readFile(`${folder}/manifest.json`);
    return table(rows, edge, { statistics, manifest });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function table(
  rows: readonly Row[],
  edge: Row,
  expected: { statistics: Uint8Array; manifest: Uint8Array },
): string {
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  const line = (row: Row, wanted: Uint8Array) => {
    const isSame = sha256(row.bytes) === sha256(wanted);
    return [
      row.host,
      isSame ? "the same" : "other last bits",
      row.start === undefined ? "in it" : `${row.start.toFixed(2)} s`,
      `${row.work.toFixed(row.work < 1 ? 2 : 1)} s`,
      row.chargedBytes === undefined
        ? megabytes(row.peakBytes)
        : `${megabytes(row.peakBytes)}; its isolate at most ${megabytes(row.chargedBytes)}`,
      row.packedBytes === undefined ? "–" : `${(row.packedBytes / 1e6).toFixed(2)} MB`,
    ];
  };
  const head = ["host", "bytes", "start", "work", "peak memory", "code, gzip"];
  const lines = [
    head,
    head.map(() => "---"),
    ...rows.map((row) => line(row, expected.statistics)),
    line(edge, expected.manifest),
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

if (import.meta.main) {
  const measured = await measure();
  console.log(measured);
  const document = await Deno.readTextFile(DOCUMENT);
  const [before, after] = [document.indexOf(BEGIN) + BEGIN.length, document.indexOf(END)];
  if (after < before) throw new Error(`docs/hosts.md has no ${BEGIN} … ${END}`);
  const date = new Date().toISOString().slice(0, 10);
  const processor = /model name\s*: (.*)/.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1];
  const place =
    `${date}, ${navigator.hardwareConcurrency} cores, ${processor}, Deno ${Deno.version.deno}, ` +
    `Node ${(await run("node", ["--version"])).trim()}.`;
  await Deno.writeTextFile(
    DOCUMENT,
    `${document.slice(0, before)}\n\n${place}\n\n${measured}\n\n${document.slice(after)}`,
  );
  await run(Deno.execPath(), ["fmt", "--quiet", DOCUMENT.pathname]);
}
