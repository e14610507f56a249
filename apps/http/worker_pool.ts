/**
 * Requests' work in workers: each has one of its own, a bounded number of them. What goes wrong in one, for ever or
 * with a bang, leaves the server and the other requests alone.
 *
 * @module
 */
import { deferred } from "../../core/deferred.ts";
import type { HostWorker } from "../../core/host.ts";
import type { Operation, OperationInput, ResultFile } from "./operation.ts";
import { Problem } from "./problem.ts";
import type { FromRequestWorker, SentProblem, ToRequestWorker } from "./worker_messages.ts";

/** Starts a worker that runs `request_worker.ts`. */
export type StartRequestWorker = () => HostWorker;

/** How many workers there are, and were. */
export interface WorkerCounts {
  /** At work, or about to be ended. */
  readonly busy: number;
  /** Waiting for a request. */
  readonly idle: number;
  /** Threads that couldn't be ended. */
  readonly stuck: number;
  /** Started in all. */
  readonly started: number;
}

/** Bytes of WebAssembly memory beyond which a worker isn't used again: memory never shrinks, so it has to go. */
const MAX_WASM_BYTES = 2 ** 26;
/** Requests after which a worker is replaced, whatever it looks like. */
const MAX_REQUESTS = 200;
/** Time after which a worker that nobody needed goes, in milliseconds. */
const IDLE_MS = 60_000;
/** Time that a worker has to stop by itself, between two times that its memory is spoilt, and in all, in milliseconds. */
const STOP_MS = 1500;
const SPOIL_MS = 250;
const STUCK_MS = 30_000;

/** The workers of a server. */
export class WorkerPool {
  readonly #start: StartRequestWorker;
  readonly #max: number;
  readonly #idle: { readonly member: Member; readonly timer: ReturnType<typeof setTimeout> }[] = [];
  readonly #members = new Set<Member>();
  readonly #waiting: (() => void)[] = [];
  #stuck = 0;
  #started = 0;
  #isClosed = false;

  /** @param max Workers at once; those that are about to be ended count. */
  constructor(start: StartRequestWorker, max: number) {
    this.#start = start;
    this.#max = max;
  }

  /** How many there are. */
  get counts(): WorkerCounts {
    const [all, idle] = [this.#members.size, this.#idle.length];
    return { busy: all - idle, idle, stuck: this.#stuck, started: this.#started };
  }

  /** The same operation, its work done in a worker. */
  operationOf({ run: _, ...operation }: Operation): Operation {
    return { ...operation, run: (input) => this.#run(operation.path, input) };
  }

  /** Ends all workers, whatever they do. */
  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#idle.splice(0)) clearTimeout(timer);
    for (const member of this.#members) member.terminate();
    this.#members.clear();
  }

  async #run(path: string, input: OperationInput): Promise<readonly ResultFile[]> {
    const member = await this.#take(input.signal);
    const { answer, end } = member.work(path, input);
    end.then((condition) => this.#giveBack(member, condition));
    return await answer;
  }

  async #take(signal: AbortSignal): Promise<Member> {
    // Whoever waits here waits for a worker that is about to be ended: the gate lets no more in than there are places.
    while (this.#members.size >= this.#max && this.#idle.length === 0) {
      const place = deferred<void>();
      this.#waiting.push(place.resolve);
      const leave = () => place.reject(signal.reason);
      signal.addEventListener("abort", leave, { once: true });
      try {
        await place.promise;
      } finally {
        signal.removeEventListener("abort", leave);
      }
    }
    signal.throwIfAborted();
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      clearTimeout(idle.timer);
      return idle.member;
    }
    this.#started++;
    const member = new Member(this.#start());
    this.#members.add(member);
    return member;
  }

  #giveBack(member: Member, condition: MemberCondition): void {
    if (this.#isClosed) return;
    if (condition === "good" && member.requests < MAX_REQUESTS) {
      const timer = setTimeout(() => {
        this.#idle.splice(this.#idle.findIndex((one) => one.member === member), 1);
        this.#retire(member);
      }, IDLE_MS);
      this.#idle.push({ member, timer });
    } else {
      if (condition === "stuck") this.#stuck++;
      this.#retire(member);
    }
    this.#waiting.shift()?.();
  }

  #retire(member: Member): void {
    this.#members.delete(member);
    member.terminate();
  }
}

/** What becomes of a worker after a request: it is used again, replaced, or its thread is lost. */
type MemberCondition = "good" | "spent" | "stuck";

/** What goes on in a worker. */
interface Work {
  readonly input: OperationInput;
  readonly reader?: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly answer: ReturnType<typeof deferred<readonly ResultFile[]>>;
  readonly end: ReturnType<typeof deferred<MemberCondition>>;
}

/** One worker as the pool sees it. */
class Member {
  readonly #worker: HostWorker;
  #memory: ArrayBufferLike | undefined;
  #work: Work | undefined;
  #reading: Promise<void> = Promise.resolve();
  #stopping: ReturnType<typeof setTimeout> | undefined;
  #isSpoilt = false;
  /** Requests that it had. */
  requests = 0;

  constructor(worker: HostWorker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<FromRequestWorker>) => this.#hear(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#work?.answer.reject(new Error(`A request's worker failed: ${event.message}`));
      this.#finish("spent");
    };
  }

  /**
   * Begins with a request. There is one at a time.
   *
   * @returns The answer, and what becomes of the worker, which may be known later: who asked may be gone.
   */
  work(path: string, input: OperationInput) {
    const { files, options, limits, samples, signal } = input;
    const work: Work = {
      input,
      reader: samples?.stream.getReader(),
      answer: deferred<readonly ResultFile[]>(),
      end: deferred<MemberCondition>(),
    };
    this.requests++;
    this.#work = work;
    signal.addEventListener("abort", this.#onAbort);
    this.#send({
      kind: "start",
      job: {
        path,
        files,
        options,
        limits,
        ...(samples === undefined ? {} : { samples: { filename: samples.filename } }),
      },
    }, [...files.values()].map(({ buffer }) => buffer));
    if (signal.aborted) this.#onAbort();
    return { answer: work.answer.promise, end: work.end.promise };
  }

  /** Ends it at once, as far as the host can. */
  terminate(): void {
    clearTimeout(this.#stopping);
    this.#worker.terminate();
  }

  readonly #onAbort = () => this.#stop(this.#work?.input.signal.reason);

  #hear(message: FromRequestWorker): void {
    const { input } = this.#work ?? {};
    switch (message.kind) {
      case "memory":
        this.#memory = message.buffer;
        return;
      case "pull":
        this.#reading = this.#pull();
        return;
      case "progress":
        return input?.onProgress?.(message.progress);
      case "note":
        return input?.onNote(message.text);
      case "done":
        this.#answer(message.files);
        return this.#finish(message.wasmBytes > MAX_WASM_BYTES ? "spent" : "good");
      case "failed":
        this.#work?.answer.reject(receiveProblem(message.problem));
        return this.#finish(
          message.isLost || message.wasmBytes > MAX_WASM_BYTES ||
            message.problem.problem === "defect"
            ? "spent"
            : "good",
        );
      default:
        message satisfies never;
    }
  }

  /** The body is let go of before whoever asked goes on with it. */
  async #answer(files: readonly ResultFile[]): Promise<void> {
    const { answer } = this.#work ?? {};
    await this.#reading;
    answer?.resolve(files);
  }

  /** Hands the next piece of the samples on. What is wrong with the body is the request's fault, not the worker's. */
  async #pull(): Promise<void> {
    const work = this.#work;
    if (work?.reader === undefined) return;
    try {
      const { done, value } = await work.reader.read();
      if (this.#work !== work) return;
      if (done) this.#send({ kind: "end" });
      else {
        // A copy: others may look at the same buffer.
        const bytes = value.slice();
        this.#send({ kind: "chunk", bytes }, [bytes.buffer]);
      }
    } catch (error) {
      if (this.#work === work) this.#stop(error);
    }
  }

  /**
   * Tells whoever asked that it is over, and the worker to stop. One that computes hears nothing: Deno's terminate()
   * doesn't end a thread that never comes to rest (2.9.6, measured; Node's does). So the memory that it computes in is
   * filled with what is no address, and the computation ends with a trap. Every other time it is filled with zeros: what
   * waits for a lock, or goes from one piece of a list to the next, would go on for ever on either alone.
   */
  #stop(reason: unknown): void {
    if (this.#work === undefined || this.#stopping !== undefined) return;
    this.#work.answer.reject(reason);
    this.#send({ kind: "stop" });
    const since = performance.now();
    let byte = 0;
    const spoil = () => {
      if (performance.now() - since > STUCK_MS) return this.#finish("stuck");
      // Again and again: on a busy machine it may only be about to begin, and there may be no memory yet.
      this.#isSpoilt = true;
      byte ^= 0xff;
      if (this.#memory !== undefined) new Uint8Array(this.#memory).fill(byte);
      this.#stopping = setTimeout(spoil, SPOIL_MS);
    };
    this.#stopping = setTimeout(spoil, STOP_MS);
  }

  #finish(condition: MemberCondition): void {
    const work = this.#work;
    if (work === undefined) return;
    clearTimeout(this.#stopping);
    this.#stopping = undefined;
    this.#work = undefined;
    work.input.signal.removeEventListener("abort", this.#onAbort);
    // Whoever gave the body reads what is left of it.
    this.#reading.then(() => work.reader?.releaseLock());
    work.end.resolve(this.#isSpoilt && condition === "good" ? "spent" : condition);
  }

  #send(message: ToRequestWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}

/** The problem of a worker, or the defect that is behind it. */
function receiveProblem({ problem, detail, trace }: SentProblem): Error {
  return trace === undefined
    ? new Problem(problem, detail)
    : new Error(`In a request's worker: ${trace}`);
}
