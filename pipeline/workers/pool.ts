/**
 * Calibration in several workers, each with a session and statistics of its own, added up exactly.
 *
 * @module
 */
import type { PlimsollError } from "../../core/errors.ts";
import { detachWeights } from "../../onnx/file/external_data.ts";
import { type Model, writeModel } from "../../onnx/file/model.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { deferred } from "../../core/deferred.ts";
import type { HostWorker } from "../../core/host.ts";
import { NoSampleError } from "../../core/no_sample_error.ts";
import type { OnProgress } from "../../core/progress.ts";
import { inputsOf, type Sample } from "../../core/tensor.ts";
import { mergeStatistics } from "../statistics/merge_statistics.ts";
import type { CalibrationHooks } from "../statistics/calibration_hooks.ts";
import type { Statistics } from "../statistics/statistics.ts";
import type { FromWorker, SentError, ToWorker, WorkerJob } from "./messages.ts";
import { receiveError } from "./sent_errors.ts";

/** Starts a worker that does what `pipeline/passes/serve_calibration.ts` does. */
export type StartWorker = () => HostWorker;

/** What {@linkcode calibrateInWorkers} needs. */
export interface PoolOptions extends Omit<WorkerJob, "model" | "weights"> {
  readonly model: Model;
  readonly target: Target;
  /** At least 1. */
  readonly workers: number;
  readonly startWorker: StartWorker;
  readonly total?: number;
  readonly onProgress?: OnProgress;
  readonly onSkip?: (reason: PlimsollError) => void;
  readonly signal?: AbortSignal;
}

/**
 * Gives samples to whichever worker asks for some. Each holds at most three batches, one in inference, one that waits
 * for it and one that comes in, and a sample that begins the next: with W workers and batches of B samples at most
 * W·(3·B + 1) samples are in flight behind the source.
 *
 * An abort ends the stream: workers finish what they hold, and what they have counted goes to `onAbort`.
 *
 * @param samples Consumed; cancelled when anything fails.
 */
export async function calibrateInWorkers(
  samples: ReadableStream<Sample>,
  options: PoolOptions,
  { afterBatch, onAbort }: CalibrationHooks = {},
): Promise<Statistics> {
  const { model, target, modelSha256, rewrites, batch, signal } = options;
  const { source, preprocessing, onNonFinite } = options;
  const { model: light, data: weights } = detachWeights(model);
  const job: WorkerJob = {
    model: writeModel(light),
    weights,
    target,
    modelSha256,
    rewrites,
    batch,
    source,
    preprocessing,
    onNonFinite,
  };
  const reader = samples.getReader();
  const failure = deferred<never>();
  failure.promise.catch(() => {});
  let done = 0;
  let reading: Promise<unknown> = Promise.resolve();
  let writing: Promise<unknown> = Promise.resolve();
  const give = (member: Member) => {
    // One read at a time, in the order in which workers asked.
    reading = reading.then(async () => {
      const next = signal?.aborted ? undefined : (await reader.read()).value;
      if (next === undefined) member.end();
      else member.give(next);
    }).catch(failure.reject);
  };
  const members = Array.from({ length: options.workers }, () =>
    new Member(options.startWorker(), {
      onPull: give,
      onDone: (count) => {
        done += count;
        options.onProgress?.({ stage: "calibrate", done, total: options.total });
        const samplesSoFar = done;
        writing = writing.then(() => afterBatch?.(samplesSoFar, snapshot)).catch(failure.reject);
      },
      onSkip: (error) => options.onSkip?.(receiveError(error) as PlimsollError),
      onFail: failure.reject,
    }));
  const snapshot = async () => merge(await Promise.all(members.map((member) => member.snapshot())));
  try {
    for (const member of members) member.start(job);
    const parts = await Promise.race([
      Promise.all(members.map(({ result }) => result)),
      failure.promise,
    ]);
    await Promise.race([writing, failure.promise]);
    if (!signal?.aborted) return merge(parts);
    await reader.cancel(signal.reason).catch(() => {});
    if (parts.some((part) => part !== undefined)) await onAbort?.(merge(parts));
    throw signal.reason;
  } catch (error) {
    await reader.cancel(error).catch(() => {});
    throw error;
  } finally {
    for (const member of members) member.terminate();
  }
}

/** Statistics of all workers that saw a sample. */
function merge(parts: readonly (Statistics | undefined)[]): Statistics {
  const seen = parts.filter((part) => part !== undefined);
  if (seen.length === 0) throw new NoSampleError("calibrate");
  return mergeStatistics(seen);
}

/** Time for a worker to load its code, in milliseconds. */
const START_MS = 60_000;

interface MemberEvents {
  readonly onPull: (member: Member) => void;
  readonly onDone: (samples: number) => void;
  readonly onSkip: (error: SentError) => void;
  readonly onFail: (error: unknown) => void;
}

/** One worker as the pool sees it. */
class Member {
  readonly #worker: HostWorker;
  readonly #result = deferred<Statistics | undefined>();
  readonly #events: MemberEvents;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #waiting: ((statistics: Statistics | undefined) => void)[] = [];

  constructor(worker: HostWorker, events: MemberEvents) {
    this.#worker = worker;
    this.#events = events;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      clearTimeout(this.#silence);
      switch (data.kind) {
        case "pull":
          return events.onPull(this);
        case "done":
          return events.onDone(data.samples);
        case "skipped":
          return events.onSkip(data.error);
        case "statistics":
          return this.#answer(data.statistics, data.isLast);
        case "failed":
          // A worker that got no sample has nothing to add.
          return data.error.kind !== "defect" && data.error.isNoSample
            ? this.#answer(undefined, true)
            : events.onFail(receiveError(data.error));
        default:
          data satisfies never;
      }
    };
    worker.onerror = (event) => {
      event.preventDefault();
      events.onFail(new Error(`A calibration worker failed: ${event.message}`));
    };
  }

  /** Its statistics when the stream has ended; undefined when it saw no sample. */
  get result(): Promise<Statistics | undefined> {
    return this.#result.promise;
  }

  /** A worker that never answers would otherwise be waited for without end. */
  start(job: WorkerJob): void {
    this.#send({ kind: "start", job });
    this.#silence = setTimeout(() => {
      this.#events.onFail(new Error(`A calibration worker said nothing for ${START_MS / 1000} s`));
    }, START_MS);
  }

  give(sample: Sample): void {
    const buffers = new Set(inputsOf(sample).map(([_, { data }]) => data.buffer as ArrayBuffer));
    this.#send({ kind: "sample", sample }, [...buffers]);
  }

  end(): void {
    this.#send({ kind: "end" });
  }

  /** Its statistics so far, after the batch at hand. */
  snapshot(): Promise<Statistics | undefined> {
    this.#send({ kind: "snapshot" });
    const answer = new Promise<Statistics | undefined>((resolve) => this.#waiting.push(resolve));
    return Promise.race([answer, this.result]);
  }

  terminate(): void {
    clearTimeout(this.#silence);
    this.#worker.terminate();
  }

  #send(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #answer(statistics: Statistics | undefined, isLast: boolean): void {
    for (const resolve of this.#waiting) resolve(statistics);
    this.#waiting = [];
    if (isLast) this.#result.resolve(statistics);
  }
}
