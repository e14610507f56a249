/**
 * What an isolate of workerd is charged for: its JavaScript heap, its array buffers and its WebAssembly memories.
 * workerd itself, its code, and compiled code are the process's.
 *
 * A development tool; nothing that ships imports it.
 *
 * @module
 */
import { WORKERD } from "./workers.ts";

/** The most of each, in bytes, each at its own time: together they are never less than the most at one time. */
export interface IsolateMemory {
  /** JavaScript heap in use with its garbage, as V8 saw it before every collection, and in between. */
  readonly heapBytes: number;
  /**
   * Array buffers with their garbage, as the inspector saw them whenever the isolate took a breath. Some WebAssembly
   * memories are in it as well.
   */
  readonly bufferBytes: number;
  /** All WebAssembly memories, shared ones too. */
  readonly wasmBytes: number;
  /** The sum: an upper bound of what is charged. */
  readonly chargedBytes: number;
  /** The most of all three together at one look: a lower bound, but for memories that are in the buffers as well. */
  readonly seenBytes: number;
  /** Number of looks; the peak of the buffers is as good as they are many. */
  readonly looks: number;
}

/** A worker that is watched. */
export interface MeasuredWorker {
  /** Its address, with a slash at the end. */
  readonly url: string;
  /** Peaks since it began. */
  readonly peak: () => Promise<IsolateMemory>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How measured workers are made of others. */
const ENTRY = 'import "./watch_memories.js";\nexport { default } from "./worker.js";\n';
const WATCH = new URL("./watch_memories.js", import.meta.url);

/**
 * Runs a worker in workerd as its configuration says, and watches it.
 *
 * @param config A Cap'n Proto file beside its modules, the first of which is the worker.
 * @param variables What the worker gets as its environment.
 */
export async function serveMeasured(
  config: URL,
  variables: Readonly<Record<string, string>> = {},
): Promise<MeasuredWorker> {
  const folder = await Deno.makeTempDir({ prefix: "plimsoll-measured-" });
  await copyWatched(config, folder, variables);
  const [port, inspectorPort] = freePorts(2);
  const process = new Deno.Command(WORKERD, {
    args: [
      ...["serve", `${folder}/measured.capnp`, `--socket-addr=http=127.0.0.1:${port}`],
      `--inspector-addr=127.0.0.1:${inspectorPort}`,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const url = `http://127.0.0.1:${port}/`;
  const collections = watchCollections(process.stdout);
  let looks: Looks | undefined;
  const stop = async () => {
    await looks?.stop();
    process.kill();
    await process.status;
    await collections.ended;
    await Deno.remove(folder, { recursive: true });
  };
  try {
    for (let i = 0; !await fetch(url).then((answer) => answer.text(), () => undefined); i++) {
      if (i === 300) throw new Error(`Cannot measure ${config}: workerd doesn't answer`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    looks = await look(inspectorPort);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    peak: async () => {
      const { heap, buffers, wasm, seen, count } = await looks!.now();
      const heapBytes = Math.max(heap, collections.peakBytes());
      return {
        heapBytes,
        bufferBytes: buffers,
        wasmBytes: wasm,
        looks: count,
        chargedBytes: heapBytes + buffers + wasm,
        seenBytes: seen,
      };
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** The worker's folder again, with another module in front that knows memories. */
async function copyWatched(
  config: URL,
  folder: string,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  for await (const { name } of Deno.readDir(new URL("./", config))) {
    if (!/\.(js|wasm)$/.test(name)) continue;
    await Deno.copyFile(new URL(name, config), `${folder}/${name}`);
  }
  await Deno.writeTextFile(`${folder}/measured.js`, ENTRY);
  await Deno.copyFile(WATCH, `${folder}/watch_memories.js`);
  const modules = ["measured.js", "watch_memories.js"]
    .map((name) => `(name = "${name}", esModule = embed "${name}"),`);
  const bindings = Object.entries(variables)
    .map(([name, text]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(text)})`);
  const text = (await Deno.readTextFile(config))
    .replace("modules = [", `bindings = [${bindings}],\nmodules = [${modules.join("\n")}`)
    .replace("v8Flags = [", 'v8Flags = ["--trace-gc", ');
  await Deno.writeTextFile(`${folder}/measured.capnp`, text);
}

/** Reads what V8 says of each collection, as `Scavenge 19.2 (27.6) -> 10.7 (27.0) MB`: the heap before it, in MiB. */
function watchCollections(lines: ReadableStream<Uint8Array>) {
  let [peak, rest] = [0, ""];
  const decoder = new TextDecoder();
  const ended = (async () => {
    for await (const bytes of lines) {
      const whole = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = whole.pop()!;
      for (const line of whole) {
        const used = / ([\d.]+) \([\d.]+\) -> [\d.]+ \([\d.]+\) MB/.exec(line)?.[1];
        peak = Math.max(peak, Number(used ?? 0) * 2 ** 20);
      }
    }
  })();
  return { ended, peakBytes: () => peak };
}

interface Peaks {
  readonly heap: number;
  readonly buffers: number;
  readonly wasm: number;
  readonly seen: number;
  readonly count: number;
}

interface Looks {
  /** Peaks, the present included. */
  readonly now: () => Promise<Peaks>;
  readonly stop: () => Promise<void>;
}

/** Asks the inspector again and again, until it is told to stop. */
async function look(port: number): Promise<Looks> {
  const [{ webSocketDebuggerUrl }] = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
  const socket = new WebSocket(webSocketDebuggerUrl);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("workerd's inspector doesn't answer"));
  });
  const waiting = new Map<number, (result: Result) => void>();
  let [ids, context]: [number, number | undefined] = [0, undefined];
  socket.onmessage = ({ data }) => {
    const { id, method, params, result = {} } = JSON.parse(data);
    if (method === "Runtime.executionContextCreated") context = params.context.id;
    waiting.get(id)?.(result);
    waiting.delete(id);
  };
  socket.onclose = () => waiting.forEach((resolve) => resolve({}));
  const send = (method: string, params = {}) =>
    new Promise<Result>((resolve) => {
      if (socket.readyState !== WebSocket.OPEN) return resolve({});
      waiting.set(++ids, resolve);
      socket.send(JSON.stringify({ id: ids, method, params }));
    });
  await send("Runtime.enable");
  for (let i = 0; context === undefined; i++) {
    if (i === 300) throw new Error("workerd's inspector names no context");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  let peaks: Peaks = { heap: 0, buffers: 0, wasm: 0, seen: 0, count: 0 };
  const once = async () => {
    const expression = "wasmMemoryBytes()";
    const [usage, evaluated] = await Promise.all([
      send("Runtime.getHeapUsage"),
      send("Runtime.evaluate", { expression, contextId: context }),
    ]);
    if (socket.readyState !== WebSocket.OPEN) return;
    const heap = usage.usedSize! + usage.embedderHeapUsedSize!;
    const buffers = usage.backingStorageSize!;
    const wasm = evaluated.result!.value;
    peaks = {
      heap: Math.max(peaks.heap, heap),
      buffers: Math.max(peaks.buffers, buffers),
      wasm: Math.max(peaks.wasm, wasm),
      seen: Math.max(peaks.seen, heap + buffers + wasm),
      count: peaks.count + 1,
    };
  };
  let isOver = false;
  const looking = (async () => {
    while (!isOver) await once();
  })();
  return {
    now: async () => {
      await once();
      return peaks;
    },
    stop: async () => {
      isOver = true;
      await looking;
      socket.close();
    },
  };
}

/** What the inspector answers to the two questions. */
interface Result {
  readonly usedSize?: number;
  readonly embedderHeapUsedSize?: number;
  readonly backingStorageSize?: number;
  readonly result?: { readonly value: number };
}

/** Ports that nobody listens on. */
function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ port: 0, hostname: "127.0.0.1" }),
  );
  const ports = listeners.map(({ addr }) => (addr as Deno.NetAddr).port);
  listeners.forEach((listener) => listener.close());
  return ports;
}
