/**
 * Where the time of a run goes.
 *
 * @module
 */

/** What time is spent on. `prepare` is that of all passes, and within `learn` and `evaluate` as well. */
export type Work =
  | "prepare"
  | "learn"
  | "infer"
  | "observe"
  | "search"
  | "emit"
  | "judge"
  | "evaluate"
  | "report";

/** The same in a line for people, in its order. */
const WORDS: Readonly<Record<Work, string>> = {
  prepare: "decoding and preprocessing in all",
  learn: "what rewrites learn",
  infer: "inference",
  observe: "statistics",
  search: "search",
  emit: "emission",
  judge: "verdict",
  evaluate: "evaluation",
  report: "report",
};

/** Told the milliseconds that a piece of work took. Must not throw. */
export type OnTime = (work: Work, milliseconds: number) => void;

/** Takes the time of what may be a promise; none where nobody wants to know. */
export async function timed<T>(
  onTime: OnTime | undefined,
  work: Work,
  run: () => T | Promise<T>,
): Promise<T> {
  const start = performance.now();
  try {
    return await run();
  } finally {
    onTime?.(work, performance.now() - start);
  }
}

/** Adds times up. */
export class Stopwatch {
  readonly #sums = new Map<Work, number>();

  /** Takes a time. */
  readonly add: OnTime = (work, milliseconds) => {
    this.#sums.set(work, (this.#sums.get(work) ?? 0) + milliseconds);
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

  /** A line for people: seconds of each, and the part of the time of inference. Inference in workers isn't seen here. */
  toString(): string {
    const infer = this.#sums.get("infer") ?? 0;
    const known = (Object.keys(WORDS) as Work[]).filter((work) => this.#sums.has(work));
    const parts = known.map((work) => {
      const milliseconds = this.#sums.get(work)!;
      const part = infer === 0 || work === "infer"
        ? ""
        : ` (${(100 * milliseconds / infer).toFixed(1)} % of inference)`;
      return `${WORDS[work]} ${(milliseconds / 1000).toFixed(2)} s${part}`;
    });
    return parts.join(", ");
  }
}
