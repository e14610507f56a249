/**
 * Progress on standard error: one line that redraws itself on a terminal, plain lines elsewhere.
 *
 * @module
 */
import type { Host } from "../core/host.ts";
import type { OnProgress, Progress } from "../core/progress.ts";

/** Milliseconds between redraws of a terminal line. */
const REDRAW_MS = 100;
/** Milliseconds between plain lines. */
const LINE_MS = 5000;

/** Draws progress; one instance a command. */
export class ProgressPrinter {
  readonly #host: Host;
  readonly #quiet: boolean;
  readonly #now: () => number;
  #stage = "";
  #start = 0;
  #last = -Infinity;

  /** @param now Milliseconds of a clock, for tests. */
  constructor(host: Host, options: { quiet?: boolean; now?: () => number } = {}) {
    this.#host = host;
    this.#quiet = options.quiet ?? false;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Shows an event. */
  readonly report: OnProgress = (progress) => {
    if (this.#quiet) return;
    const now = this.#now();
    if (progress.stage !== this.#stage) {
      this.#stage = progress.stage;
      this.#start = now;
      this.#last = this.#host.isTerminal ? -Infinity : now;
    }
    const isEnd = progress.done === progress.total;
    const interval = this.#host.isTerminal ? REDRAW_MS : LINE_MS;
    if (!isEnd && now - this.#last < interval) return;
    this.#last = now;
    const line = describe(progress, (now - this.#start) / 1000);
    if (!this.#host.isTerminal) this.#host.printError(`${line}\n`);
    else this.#host.printError(`\r\x1b[2K${line}${isEnd ? "\n" : ""}`);
  };

  /** Says something between two stages. */
  note(text: string): void {
    if (!this.#quiet) this.#host.printError(`${text}\n`);
  }
}

/** For example `calibrate  320/1000  32 %  410 samples/s  ETA 2 s`. */
function describe({ stage, done, total }: Progress, seconds: number): string {
  const rate = seconds > 0 ? done / seconds : 0;
  const parts = [stage.padEnd(10), total === undefined ? `${done}` : `${done}/${total}`];
  if (total !== undefined) parts.push(`${Math.floor(100 * done / total)} %`);
  if (rate > 0) parts.push(`${rate < 10 ? rate.toFixed(1) : Math.round(rate)} samples/s`);
  if (total !== undefined && rate > 0 && done < total) {
    parts.push(`ETA ${Math.ceil((total - done) / rate)} s`);
  }
  return parts.join("  ");
}
