/**
 * Progress on standard error: a bar that redraws itself on a terminal, plain lines elsewhere, or JSON lines.
 *
 * @module
 */
import type { OnProgress, Progress } from "../../core/progress.ts";
import type { Screen, ScreenOptions } from "./screen.ts";

/** Milliseconds between two times that progress is shown. */
const INTERVAL_MS = { bar: 100, lines: 5000, json: 1000 } as const;

/** Columns of the bar itself. */
const BAR_COLUMNS = 24;

/** What JSON lines say of progress; documented in docs/progress.md. Null where it isn't known. */
export interface ProgressEvent {
  readonly event: "progress";
  /** What is being done: `calibrate`, `evaluate`, `diagnose` …; one of several passes has its number behind it. */
  readonly stage: string;
  /** Samples done. */
  readonly done: number;
  /** Samples in all. */
  readonly total: number | null;
  /** Since the first line of this stage. */
  readonly seconds: number;
  readonly samplesPerSecond: number | null;
  /** Of samples as they are in their container: encoded images, pixels or numbers. */
  readonly bytesPerSecond: number | null;
  /** Seconds left, as far as the samples per second go on. */
  readonly secondsLeft: number | null;
  /** Thresholds that moved between the last two times that they were looked at. */
  readonly moving: number | null;
  /** Thresholds that were looked at. */
  readonly thresholds: number | null;
  /** With a queue: shards at work. */
  readonly workers: number | null;
  /** With a queue: shards that are done. */
  readonly shardsDone: number | null;
  /** With a queue: shards in all. */
  readonly shards: number | null;
}

/** Draws progress; one instance a command. It only looks: whether it is shown changes no result. */
export class ProgressPrinter {
  readonly #screen: Screen;
  readonly #options: ScreenOptions;
  readonly #now: () => number;
  #stage = "";
  #first = { time: 0, done: 0, bytes: 0 };
  #last = -Infinity;
  #bytes = 0;
  #step: number;

  /** @param now Milliseconds of a clock, for tests. */
  constructor(screen: Screen, options: ScreenOptions & { readonly now?: () => number } = {}) {
    this.#screen = screen;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#step = this.#now();
  }

  /** Whether anybody sees progress. */
  get isShown(): boolean {
    return !this.#options.quiet;
  }

  /** Shows an event. */
  readonly report: OnProgress = (progress) => {
    if (!this.isShown) return;
    const now = this.#now();
    const { stage, done, total } = progress;
    const { form } = this.#screen;
    if (stage !== this.#stage) {
      this.#screen.endBar();
      this.#stage = stage;
      this.#first = { time: now, done, bytes: this.#bytes };
      this.#last = form === "lines" ? now : -Infinity;
    }
    const isEnd = done === total;
    if (!isEnd && now - this.#last < INTERVAL_MS[form]) return;
    this.#last = now;
    const event = this.#describe(progress, now);
    if (form === "json") return this.#screen.event({ ...event });
    const parts = describe(event);
    if (form === "lines") return this.#screen.message(`${parts.join("  ")}\n`);
    this.#screen.bar(this.#bar(event, parts));
    if (isEnd) this.#screen.endBar();
  };

  /** Counts bytes of samples that were read. */
  readonly addBytes = (bytes: number): void => {
    this.#bytes += bytes;
  };

  /** Says something between two stages. */
  note(text: string): void {
    if (this.isShown) this.#screen.message(`${text}\n`);
  }

  /** Says with `--verbose` what a step came to, and how long it took since the last one. */
  step(text: string): void {
    const now = this.#now();
    const seconds = ((now - this.#step) / 1000).toFixed(2);
    this.#step = now;
    if (this.#options.verbose) this.note(`${text} (${seconds} s)`);
  }

  #describe({ stage, done, total, thresholds, parts }: Progress, now: number): ProgressEvent {
    const seconds = (now - this.#first.time) / 1000;
    const rate = (amount: number) => seconds > 0 && amount > 0 ? amount / seconds : null;
    const samplesPerSecond = rate(done - this.#first.done);
    const left = total === undefined || samplesPerSecond === null
      ? null
      : (total - done) / samplesPerSecond;
    return {
      event: "progress",
      stage,
      done,
      total: total ?? null,
      seconds,
      samplesPerSecond,
      bytesPerSecond: rate(this.#bytes - this.#first.bytes),
      secondsLeft: left,
      moving: thresholds?.moving ?? null,
      thresholds: thresholds?.all ?? null,
      workers: parts?.workers ?? null,
      shardsDone: parts?.done ?? null,
      shards: parts?.all ?? null,
    };
  }

  /** A bar, with as much beside it as the line holds: what is less needed is last. */
  #bar({ done, total }: ProgressEvent, [stage, ...parts]: string[]): string {
    const room = this.#screen.width - 1;
    const line = [stage];
    const columns = () => line.join("  ").length;
    const hasBar = total !== null && total > 0 && room >= columns() + BAR_COLUMNS + 20;
    let free = room - columns() - (hasBar ? BAR_COLUMNS + 2 : 0);
    for (const part of parts) {
      free -= part.length + 2;
      if (free < 0) break;
      line.push(part);
    }
    if (!hasBar) return line.join("  ").slice(0, room);
    const full = Math.floor(BAR_COLUMNS * done / total);
    const bar = this.#screen.paint("green", "━".repeat(full)) +
      this.#screen.paint("dim", "─".repeat(BAR_COLUMNS - full));
    return [line[0], bar, ...line.slice(1)].join("  ");
  }
}

/** For example `calibrate`, `320/1000`, `32 %`, `410 samples/s`, `0.3 MB/s`, `ETA 2 s`, `3 of 29 thresholds moving`. */
function describe(event: ProgressEvent): string[] {
  const { stage, done, total, samplesPerSecond, bytesPerSecond, secondsLeft } = event;
  const { moving, thresholds, workers, shardsDone, shards } = event;
  const parts = [stage.padEnd(10), total === null ? `${done}` : `${done}/${total}`];
  if (total !== null && total > 0) parts.push(`${Math.floor(100 * done / total)} %`);
  if (samplesPerSecond !== null) parts.push(`${rounded(samplesPerSecond)} samples/s`);
  if (secondsLeft !== null && done !== total) parts.push(`ETA ${duration(secondsLeft)}`);
  if (shards !== null) {
    parts.push(`${shardsDone} of ${shards} shards`);
    parts.push(`${workers} worker${workers === 1 ? "" : "s"}`);
  }
  if (moving !== null) parts.push(`${moving} of ${thresholds} thresholds moving`);
  if (bytesPerSecond !== null) parts.push(`${rounded(bytesPerSecond / 1e6)} MB/s`);
  return parts;
}

function rounded(rate: number): string {
  return rate < 0.095 ? rate.toFixed(2) : rate < 9.95 ? rate.toFixed(1) : String(Math.round(rate));
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
