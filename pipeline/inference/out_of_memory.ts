/**
 * What to say when the runtime has no more memory.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { InputTensor } from "../../core/tensor.ts";

/** Most that onnxruntime-web's heap can be: WebAssembly's addresses have 32 bits. */
const HEAP_BYTES = 2 ** 32;
/** Part of the heap that watched tensors of a batch may fill; others, weights and copies want the rest. */
const WATCHED_PART = 1 / 4;

/** Whether an error of ONNX Runtime, or of the engine below it, says that memory ran out. */
export function isOutOfMemory(error: unknown): boolean {
  if (error instanceof PlimsollError) return false;
  if (error instanceof RangeError) return true;
  return /bad_alloc|\bOOM\b|out of memory|failed to allocate|allocation failed|out of bounds|Aborted\(/i
    .test(error instanceof Error ? error.message : String(error));
}

/** What is known of a run that found no memory. */
export interface FailedRun {
  /** What was being done. */
  readonly action: string;
  /** What it was fed, the batch as the first axis. */
  readonly feeds: ReadonlyMap<string, InputTensor>;
  /** Bytes of the watched tensors of one sample, where they could be found out. */
  readonly watchedBytes?: number;
  /** Number of watched tensors. */
  readonly watched: number;
  readonly cause: unknown;
}

/** The error about a run, with numbers and a batch to try. */
export function outOfMemoryRun(
  { action, feeds, watchedBytes, watched, cause }: FailedRun,
): PlimsollError {
  const inputs = [...feeds.values()];
  const batch = Math.max(...inputs.map(({ dims }) => dims[0] ?? 1));
  const inputBytes = inputs.reduce((sum, { data }) => sum + data.byteLength, 0) / batch;
  const perSample = watchedBytes === undefined
    ? `${size(inputBytes)} of input a sample and ${watched} watched tensors`
    : `${size(inputBytes + watchedBytes)} a sample, of which ${watched} watched tensors are ${
      size(watchedBytes)
    }`;
  const fitting = watchedBytes === undefined
    ? Infinity
    : Math.floor(HEAP_BYTES * WATCHED_PART / (watchedBytes + inputBytes));
  const smaller = Math.max(1, Math.min(Math.floor(batch / 2), fitting));
  return new PlimsollError("runtime", {
    action,
    wanted: `a batch that fits into the runtime's heap of ${size(HEAP_BYTES)}`,
    found: `no memory left for a batch of ${batch}: ${perSample}`,
    remedy: batch > 1
      ? `Try ${option("batch", smaller)}, which changes no result`
      : `One sample is too large already: use smaller inputs, or under Node ${
        option("runtime", "native")
      }`,
    cause,
  });
}

/** The error about a model that doesn't fit. */
export function outOfMemoryLoad(action: string, modelBytes: number, cause: unknown): PlimsollError {
  return new PlimsollError("runtime", {
    action,
    wanted: `a model that fits into the runtime's heap of ${size(HEAP_BYTES)}`,
    found: `no memory left for a model of ${
      size(modelBytes)
    }, which is there once and in part twice`,
    remedy: `Use ${option("workers")}, which don't share a heap, or under Node ${
      option("runtime", "native")
    }`,
    cause,
  });
}

/** The error of whoever wants to use a runtime that broke. */
export class LostRuntimeError extends PlimsollError {
  /** @param cause What broke it. */
  constructor(cause: unknown) {
    super("runtime", {
      action: "starting the inference runtime",
      wanted: "a runtime that works",
      found: "one that ran out of memory before and answers no more",
      remedy: "Start again: a new process or worker has a new runtime",
      cause,
    });
  }
}

function size(bytes: number): string {
  if (bytes >= 2 ** 30) return `${Number((bytes / 2 ** 30).toPrecision(3))} GiB`;
  return bytes >= 2 ** 20
    ? `${Number((bytes / 2 ** 20).toPrecision(3))} MiB`
    : `${Number((bytes / 2 ** 10).toPrecision(3))} KiB`;
}
