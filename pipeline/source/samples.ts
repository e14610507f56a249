/**
 * Samples as a quantization reads them: opened anew for every pass, or once where they can be read only once.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { inputsOf, type InputTensor, type Sample, type SampleInput } from "../../core/tensor.ts";
import type { Preprocessing } from "../../tpc/recipe/preprocessing.ts";

/** Samples of one pass, and what belongs to them. */
export interface OpenedSamples {
  /** Consumed, or cancelled when anything fails. */
  readonly samples: ReadableStream<Sample>;
  /** Number of samples, those that are skipped among them, when known without reading them. */
  readonly count?: number;
  /** What the data set is, wherever it lies. */
  readonly source?: string;
  /** How images became samples; the manifest carries it. */
  readonly preprocessing?: Preprocessing;
  /** Names of the classes, where somebody knows them. */
  readonly classes?: readonly string[];
}

/** Opens the same samples as often as they are wanted. */
export interface SampleOpener {
  /**
   * Opens them from the beginning.
   *
   * @param skip Samples that nobody wants, by position: they need not be read.
   */
  open(skip?: (index: number) => boolean): Promise<OpenedSamples>;
  /** What messages call samples that can be read once. */
  readonly name?: string;
  /** Whether they can be opened once only, as standard input, a stream or the body of a request. */
  readonly isOneShot?: boolean;
}

/** A sample as a program makes it; position and name follow from the order where they are absent. */
export type GivenSample = Omit<Sample, "index" | "id"> & Partial<Pick<Sample, "index" | "id">>;

/**
 * Samples that a program has: a list or another iterable, which every pass reads anew; a stream or an asynchronous
 * iterator, which can be read once; or what `openSamples` gives.
 */
export type Samples =
  | Iterable<GivenSample>
  | AsyncIterable<GivenSample>
  | ReadableStream<GivenSample>
  | SampleOpener;

/**
 * An opener of whatever a program has.
 *
 * @throws {PlimsollError} kind `usage` for what is none of {@linkcode Samples}.
 *
 * @example
 * ```ts
 * import { openerOf } from "./samples.ts";
 * import assert from "node:assert/strict";
 *
 * const opener = openerOf([{ input: { data: Float32Array.of(1, 2), dims: [2] } }]);
 * const [sample] = await Array.fromAsync((await opener.open()).samples);
 * assert.deepEqual([sample.index, sample.id], [0, "sample 0"]);
 * ```
 */
export function openerOf(samples: Samples): SampleOpener {
  if (isObject(samples)) {
    if (typeof (samples as SampleOpener).open === "function") return samples as SampleOpener;
    if (samples instanceof ReadableStream) {
      return once(samples.pipeThrough(completed()));
    }
    if (Symbol.asyncIterator in samples) {
      return once(streamOfIterator(samples[Symbol.asyncIterator]()).pipeThrough(completed()));
    }
    if (Symbol.iterator in samples) return again(samples);
  }
  throw new PlimsollError("usage", {
    action: "opening the samples",
    wanted: "a list, an iterable, a ReadableStream of samples, or what openSamples() gives",
    found: describe(samples),
    remedy: "Give { input: { data: Float32Array, dims } } for each sample, without a batch axis",
  });
}

function again(samples: Iterable<GivenSample>): SampleOpener {
  // An iterator gives itself: what it gave once is gone.
  const isOneShot = samples[Symbol.iterator]() === samples as unknown;
  if (isOneShot) return once(streamOfIterator(samples[Symbol.iterator]()).pipeThrough(completed()));
  return {
    open: (skip) =>
      Promise.resolve({
        samples: streamOfIterator(samples[Symbol.iterator]()).pipeThrough(completed(skip)),
        ...(Array.isArray(samples) ? { count: samples.length } : {}),
      }),
  };
}

function once(samples: ReadableStream<Sample>): SampleOpener {
  return {
    isOneShot: true,
    open: (skip) =>
      Promise.resolve({
        samples: skip === undefined ? samples : samples.pipeThrough(completed(skip)),
      }),
  };
}

/** A stage that numbers and names samples, checks their shape, and leaves out those that are skipped. */
function completed(skip?: (index: number) => boolean): TransformStream<GivenSample, Sample> {
  let next = 0;
  return new TransformStream(
    {
      transform: (given, controller) => {
        const position = next++;
        const { index = position, id = `sample ${position}`, ...rest } = checked(given, position);
        if (!skip?.(index)) controller.enqueue({ ...rest, index, id });
      },
    },
    undefined,
    { highWaterMark: 0 },
  );
}

function checked(given: GivenSample, position: number): GivenSample {
  const found = !isObject(given)
    ? describe(given)
    : !isObject(given.input)
    ? `input: ${describe(given.input)}`
    : inputFault(given.input);
  if (found === undefined) return given;
  throw new PlimsollError("data", {
    action: `reading sample ${position}`,
    wanted:
      "{ input: { data: Float32Array, dims: [...] } }, or a map of such tensors by input name",
    found,
    remedy: "Give each sample without a batch axis; index, id and label are optional",
  });
}

function inputFault(input: SampleInput): string | undefined {
  for (const [name, tensor] of inputsOf({ input })) {
    const { data, dims } = (isObject(tensor) ? tensor : {}) as Partial<InputTensor>;
    const label = name === "" ? "input" : `input ${name}`;
    if (!ArrayBuffer.isView(data) || !Array.isArray(dims)) return `${label}: ${describe(tensor)}`;
    const size = dims.reduce((product: number, dim: number) => product * dim, 1);
    if (data.length !== size) return `${label}: ${data.length} values for shape [${dims}]`;
  }
  return undefined;
}

function streamOfIterator<T>(iterator: Iterator<T> | AsyncIterator<T>): ReadableStream<T> {
  return new ReadableStream<T>({
    pull: async (controller) => {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: async (reason) => void await iterator.return?.(reason),
  }, { highWaterMark: 0 });
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function describe(value: unknown): string {
  if (!isObject(value)) return value === undefined ? "nothing" : `${typeof value} ${value}`;
  const keys = Object.keys(value).slice(0, 5);
  return `an object with ${keys.length === 0 ? "no keys" : `keys ${keys.join(", ")}`}`;
}
