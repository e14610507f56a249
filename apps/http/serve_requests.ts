/**
 * A worker's side of the conversation in `worker_messages.ts`: the work of one request after the other.
 *
 * @module
 */
import type { Runtime } from "../../pipeline/inference/runtime.ts";
import { problemOf } from "./problem.ts";
import { allOperations } from "./runtime_operations.ts";
import type {
  Condition,
  FromRequestWorker,
  RequestJob,
  SentProblem,
  ToRequestWorker,
} from "./worker_messages.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Does the work of requests that come as messages, one at a time.
 *
 * @param runtime Runs all models of this worker.
 * @param post Sends a message to the pool; what is in the list changes hands.
 * @returns Takes a message from the pool.
 */
export function serveRequests(
  runtime: Runtime,
  post: (message: FromRequestWorker, transfer?: Transferable[]) => void,
): (message: ToRequestWorker) => void {
  const operations = new Map(allOperations(runtime).map((one) => [one.path, one]));
  const memories = watchMemories((buffer) => post({ kind: "memory", buffer }));
  let samples: ReadableStreamDefaultController<Bytes> | undefined;
  let answered = () => {};
  let ending = new AbortController();

  async function work({ path, samples: given, ...job }: RequestJob): Promise<void> {
    ending = new AbortController();
    const stream = given === undefined ? undefined : new ReadableStream<Bytes>({
      start: (controller) => void (samples = controller),
      pull: () =>
        new Promise<void>((resolve) => {
          answered = resolve;
          post({ kind: "pull" });
        }),
    }, { highWaterMark: 0 });
    try {
      const files = await operations.get(path)!.run({
        ...job,
        signal: ending.signal,
        onProgress: (progress) => post({ kind: "progress", progress }),
        onNote: (text) => post({ kind: "note", text }),
        ...(stream === undefined ? {} : { samples: { stream, filename: given!.filename } }),
      });
      post({ kind: "done", files, ...condition() }, [
        ...new Set(files.map(({ bytes }) => bytes.buffer)),
      ]);
    } catch (error) {
      post({ kind: "failed", problem: sendProblem(error), ...condition() });
    } finally {
      samples = undefined;
    }
  }

  function condition(): Condition {
    return {
      wasmBytes: memories().reduce((sum, { buffer }) => sum + buffer.byteLength, 0),
      isLost: runtime.lost !== undefined,
    };
  }

  function stop(): void {
    const reason = new DOMException("Nobody wants the result any more", "AbortError");
    ending.abort(reason);
    try {
      samples?.error(reason);
    } catch {
      // It was read to its end, or nobody reads it any more.
    }
    answered();
  }

  return (message) => {
    switch (message.kind) {
      case "start":
        return void work(message.job);
      case "chunk":
        try {
          samples?.enqueue(message.bytes);
        } catch {
          // Enough was read: the rest isn't wanted.
        }
        return answered();
      case "end":
        try {
          samples?.close();
        } catch {
          // The same.
        }
        return answered();
      case "stop":
        return stop();
      default:
        message satisfies never;
    }
  };
}

/** Of a defect clients see nothing, but its trace goes to the log. */
function sendProblem(error: unknown): SentProblem {
  const { problem, message } = problemOf(error);
  return {
    problem,
    detail: message,
    ...(problem === "defect"
      ? { trace: error instanceof Error ? error.stack ?? error.message : String(error) }
      : {}),
  };
}

/**
 * Sees the WebAssembly memories that code makes from now on, as that of onnxruntime-web does: how large a worker has
 * become can't be found out otherwise. Memories that modules bring along, those of the other cores, are seldom large
 * and go with their instances.
 *
 * @param onShared Told the buffer of one that several threads can reach.
 * @returns All of them so far.
 */
function watchMemories(
  onShared: (buffer: ArrayBufferLike) => void,
): () => readonly WebAssembly.Memory[] {
  const memories: WebAssembly.Memory[] = [];
  const { Memory } = WebAssembly;
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      memories.push(this);
      if (descriptor.shared) onShared(this.buffer);
    }
  };
  return () => memories;
}
