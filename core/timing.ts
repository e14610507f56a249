/**
 * Where the time of a pass goes.
 *
 * @module
 */

/** What time is spent on. */
export type Work = "prepare" | "infer" | "observe";

/** Told the milliseconds that a piece of work took. Must not throw. */
export type OnTime = (work: Work, milliseconds: number) => void;

/** Adds times up. */
export class Stopwatch {
  readonly #sums: Record<Work, number> = { prepare: 0, infer: 0, observe: 0 };

  /** Takes a time. */
  readonly add: OnTime = (work, milliseconds) => {
    this.#sums[work] += milliseconds;
  };

  /** Runs something and takes its time. */
  time<T>(work: Work, run: () => T): T {
    const start = performance.now();
    try {
      return run();
    } finally {
      this.add(work, performance.now() - start);
    }
  }

  /** A line for people: seconds of each, and the part of the time of inference. */
  toString(): string {
    const { prepare, infer, observe } = this.#sums;
    const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
    // Inference in workers isn't seen here.
    if (infer === 0) return `decoding and preprocessing ${seconds(prepare)}; the rest in workers`;
    const part = (ms: number) => `${seconds(ms)} (${(100 * ms / infer).toFixed(1)} % of inference)`;
    return `decoding and preprocessing ${part(prepare)}, inference ${seconds(infer)}, statistics ${
      part(observe)
    }`;
  }
}
