/**
 * What every source gives, and which samples are asked of it.
 *
 * @module
 */
import type { PlimsollError } from "../../core/errors.ts";
import type { RawSample } from "../../core/tensor.ts";

/** A calibration or evaluation set, opened. */
export interface SampleSource {
  /**
   * Number of samples up to the limit, those that are left out included; undefined where only
   * reading everything tells.
   */
  readonly count?: number;
  /** Whether the samples have labels; undefined where only reading tells. */
  readonly isLabelled?: boolean;
  /** Names of the classes, when the data know them. */
  readonly classes?: readonly string[];
  /**
   * Names the content, wherever it lies: 64 hexadecimal digits. Together with
   * {@linkcode RawSample.index} it names a sample.
   */
  readonly identity: string;
  /** The samples in order, made on demand. Consume it or cancel it. */
  readonly samples: ReadableStream<RawSample>;
}

/** Which samples of a data set are wanted, and what is done about those that can't be read. */
export interface SelectionOptions {
  /** Take samples at positions below this only. */
  readonly limit?: number;
  /** Positions to leave out; they are neither decoded nor copied where the format allows it. */
  readonly skip?: (index: number) => boolean;
  /**
   * Told about a sample that can't be read; the source goes on behind it when this returns. Its position
   * stays taken. By default the error is thrown.
   */
  readonly onBroken?: (error: PlimsollError) => void;
}

/** The wanted positions. */
export class Selection {
  readonly #limit: number;
  readonly #skip: (index: number) => boolean;
  /** Reports a sample that can't be read. Throws when the policy says so. */
  readonly onBroken: (error: PlimsollError) => void;

  /** Takes all by default. */
  constructor({ limit = Infinity, skip = () => false, onBroken }: SelectionOptions = {}) {
    this.#limit = limit;
    this.#skip = skip;
    this.onBroken = onBroken ?? ((error) => {
      throw error;
    });
  }

  /** Whether the sample at this position is wanted. */
  has(index: number): boolean {
    return index < this.#limit && !this.#skip(index);
  }

  /** Whether neither this position nor one behind it is wanted. */
  isPast(index: number): boolean {
    return index >= this.#limit;
  }

  /** How many of `total` samples lie below the limit. */
  countOf(total: number | undefined): number | undefined {
    return total === undefined ? undefined : Math.min(total, this.#limit);
  }
}

/** What the reader of one format makes of its bytes. */
export interface Records {
  /** Number of samples in the whole data set, when known. */
  readonly total?: number;
  /** See {@linkcode SampleSource.isLabelled}. */
  readonly isLabelled?: boolean;
  /** See {@linkcode SampleSource.classes}. */
  readonly classes?: readonly string[];
  /** The wanted samples, in order. It lets go of its bytes when it ends or is returned. */
  readonly samples: AsyncGenerator<RawSample>;
  /** Lets go of what is open besides the bytes of the source, before the first sample, too. */
  readonly close?: () => Promise<void>;
}

/**
 * A stream that asks a generator when it is asked.
 *
 * @param cancel Lets go of file or connection at once, even while the generator waits for it.
 */
export function pullStream<T>(
  generator: AsyncGenerator<T>,
  cancel: (reason: unknown) => Promise<void>,
): ReadableStream<T> {
  return new ReadableStream<T>({
    pull: async (controller) => {
      const { done, value } = await generator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: async (reason) => {
      await cancel(reason);
      // What it was waiting for has ended: it may complain, and nobody listens any more.
      await generator.return(undefined).catch(() => {});
    },
  }, { highWaterMark: 0 });
}
