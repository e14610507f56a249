/**
 * The server under load for minutes, with honest, slow, leaving and hostile clients at once:
 *
 *     deno task soak [--minutes N]
 *
 * Every honest answer must have the bytes that a client alone gets, memory must stay where it was after the first third,
 * and `/health` must answer in time. Exit code 1 otherwise.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { equalBytes } from "../support/equal_bytes.ts";
import { endlessModel } from "../support/endless.ts";
import { memoryOf, serveDeno } from "../support/servers.ts";
import { sendSmall, type SmallRequest, smallRequest } from "../support/small_requests.ts";

const KINDS = 12;
const HEALTH_MS = 100;
/** Part of the memory after the first third by which it may have grown at the end. */
const GROWTH = 0.3;

const minutes = Number(/--minutes[= ]([\d.]+)/.exec(Deno.args.join(" "))?.[1] ?? 10);
const sleep = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

await using server = await serveDeno({
  PLIMSOLL_MAX_SECONDS: "20",
  PLIMSOLL_MAX_STALL_SECONDS: "3",
  PLIMSOLL_MAX_ACTIVE: "6",
  PLIMSOLL_LOG: "none",
});
const { url, pid } = server;
const requests = Array.from({ length: KINDS }, (_, i) => smallRequest(i));
const expected: Uint8Array[] = [];
for (const request of requests) {
  const response = await sendSmall(url, request);
  if (!response.ok) throw new Error(await response.text());
  expected.push(new Uint8Array(await response.arrayBuffer()));
}

const counts: Record<string, number> = {};
const count = (what: string) => counts[what] = (counts[what] ?? 0) + 1;
const wrong: string[] = [];
const end = performance.now() + minutes * 60_000;
const isOver = () => performance.now() > end;

/** Sends until there is a place, and compares. */
async function honest(seed: number): Promise<void> {
  for (let i = seed; !isOver(); i++) {
    const kind = i * 7 % KINDS;
    await check(kind, () => sendSmall(url, requests[kind]));
  }
}

async function check(kind: number, send: () => Promise<Response>): Promise<void> {
  try {
    const response = await send();
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (
      response.status === 503 && /urn:plimsoll:problem:busy/.test(new TextDecoder().decode(bytes))
    ) {
      count("honest: busy, tried again");
      return await sleep(200);
    }
    if (response.ok && equalBytes(bytes, expected[kind])) return void count("honest: right");
    wrong.push(`${response.status} ${new TextDecoder().decode(bytes.slice(0, 300))}`);
  } catch (error) {
    wrong.push(String(error));
  }
}

/** Sends its samples with pauses that are shorter than the patience of the server. */
async function slowButHonest(): Promise<void> {
  for (let i = 0; !isOver(); i++) {
    const kind = i % KINDS;
    await check(kind, () => fetch(url + requests[kind].path, trickled(requests[kind], 400)));
    count("slow but honest");
  }
}

function trickled({ model, samples }: SmallRequest, pause: number): RequestInit {
  const encode = (text: string) => new TextEncoder().encode(text);
  const head = (name: string) =>
    encode(`\r\n--b\r\ncontent-disposition: form-data; name="${name}"; filename="f"\r\n\r\n`);
  const body = ReadableStream.from((async function* () {
    yield head("model");
    yield model;
    yield head("samples");
    const half = samples.length >> 1;
    yield samples.slice(0, half);
    await sleep(pause);
    yield samples.slice(half);
    yield encode("\r\n--b--\r\n");
  })());
  return { method: "POST", body, headers: { "content-type": "multipart/form-data; boundary=b" } };
}

/** Sends one line of a body and then nothing: it must be told so, or cut off, in time. */
async function silent(): Promise<void> {
  const { hostname, port } = new URL(url);
  while (!isOver()) {
    using connection = await Deno.connect({ hostname, port: Number(port) });
    const since = performance.now();
    const text = "POST /v1/calibrate HTTP/1.1\r\nhost: localhost\r\n" +
      "content-type: multipart/form-data; boundary=b\r\ncontent-length: 100000\r\n\r\n--b\r\n";
    await connection.write(new TextEncoder().encode(text));
    await connection.read(new Uint8Array(1000)).catch(() => {});
    const seconds = (performance.now() - since) / 1000;
    count(seconds < 6 ? "silent: let go in time" : `silent: let go after ${seconds.toFixed(0)} s`);
    await sleep(2000);
  }
}

async function leaving(seed: number): Promise<void> {
  for (let i = seed; !isOver(); i++) {
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(), i * 37 % 400);
    await sendSmall(url, requests[i % KINDS], { signal: ending.signal })
      .then((response) => response.arrayBuffer()).catch(() => {});
    clearTimeout(timer);
    count("leaving");
    await sleep(100);
  }
}

/** Models that never end, with a client that leaves, and one that stays until time is up. */
async function endless(patience: number): Promise<void> {
  const request = { ...requests[0], model: endlessModel() };
  const path = "v1/calibrate?data-format=raw&input-shape=4";
  while (!isOver()) {
    await sendSmall(url, { ...request, path }, { signal: AbortSignal.timeout(patience) })
      .then((response) => response.text()).catch(() => {});
    count("endless models");
    await sleep(3000);
  }
}

async function garbage(seed: number): Promise<void> {
  for (let i = seed; !isOver(); i++) {
    const request = requests[i % KINDS];
    const damaged = request.model.slice();
    for (let j = 0; j < 4; j++) damaged[i * 7919 * (j + 1) % damaged.length] ^= 1 << i % 8;
    const variants: SmallRequest[] = [
      { ...request, model: crypto.getRandomValues(new Uint8Array(5000)) },
      { ...request, model: damaged },
      { ...request, samples: crypto.getRandomValues(new Uint8Array(7)) },
      {
        ...request,
        path: `${request.path}&override={"match":{"node":"/(a%2B)%2B$/"},"quantize":false}`,
      },
      { ...request, path: request.path.replace("calibrate", "quantize") + "&bits=99" },
    ];
    const response = await sendSmall(url, variants[i % variants.length]).catch((error) => error);
    if (response instanceof Response) {
      await response.arrayBuffer();
      count(`hostile: ${response.status}`);
    } else count("hostile: cut off");
    await sleep(100);
  }
}

const health: number[] = [];
const memory: number[] = [];
async function watch(): Promise<void> {
  const watcher = new Worker(new URL("./watch_health.ts", import.meta.url), { type: "module" });
  watcher.onmessage = async ({ data: { ok, milliseconds } }) => {
    health.push(milliseconds);
    if (!ok) wrong.push("/health didn't answer well");
    memory.push((await memoryOf(pid)).now);
  };
  watcher.postMessage(url);
  while (!isOver()) await sleep(500);
  watcher.terminate();
}

await Promise.all([
  ...[0, 1, 2, 3].map(honest),
  slowButHonest(),
  ...[0, 1, 2].map(silent),
  ...[0, 100].map(leaving),
  ...[2000, 60_000].map(endless),
  ...[0, 1].map(garbage),
  watch(),
]);

const MiB = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
const mean = (list: readonly number[]) => list.reduce((sum, x) => sum + x, 0) / list.length;
const thirds = [0, 1, 2].map((i) =>
  mean(memory.slice(Math.floor(i * memory.length / 3), Math.floor((i + 1) * memory.length / 3)))
);
health.sort((a, b) => a - b);
const at = (part: number) => health[Math.min(health.length - 1, Math.floor(part * health.length))];
const metrics = await (await fetch(`${url}metrics`)).text();
console.log(Object.entries(counts).sort().map(([what, n]) => `${n}\t${what}`).join("\n"));
console.log(metrics.split("\n").filter((line) => /^plimsoll_worker/.test(line)).join("\n"));
console.log(`wrong answers: ${wrong.length}`, ...new Set(wrong.slice(0, 10)));
console.log(
  `/health: median ${at(0.5).toFixed(1)} ms, 99 % ${at(0.99).toFixed(1)} ms, most ${
    at(1).toFixed(1)
  } ms`,
);
console.log(`memory by thirds: ${thirds.map(MiB).join(", ")}; most ${MiB(Math.max(...memory))}`);
const isFlat = thirds[2] < thirds[0] * (1 + GROWTH);
const isFast = at(0.99) < HEALTH_MS;
if (wrong.length > 0 || !isFlat || !isFast) Deno.exitCode = 1;
