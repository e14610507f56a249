/**
 * Follows a flow until its root is done: by looking, since whoever only listens misses what happens while a server is away.
 *
 * @module
 */
import type { Queue } from "bullmq";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { Progress } from "../../core/progress.ts";
import { type AnyJob, within } from "./broker.ts";
import { failureOf } from "./failure.ts";

/** A shard as a follower knows it. */
export interface FollowedShard {
  readonly id: string;
  readonly samples: number;
  readonly title: string;
}

/** What {@linkcode follow} needs. */
export interface Following {
  readonly queue: Queue;
  /** Where the run is announced: workers that don't fit it say so there. */
  readonly runs: Queue;
  readonly run: string;
  /** Id of the job whose result is wanted. */
  readonly root: string;
  readonly shards: readonly FollowedShard[];
  /** How messages call the server. */
  readonly place: string;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
  readonly onProgress: (progress: Omit<Progress, "stage">) => void;
}

/** Milliseconds between two looks: as few at first, as many with hundreds of workers. */
const LOOK_MS = { first: 100, most: 1000, crowded: 3000 };
/** Workers from which on it is crowded. */
const CROWD = 100;
/** Milliseconds that the server has to answer a look. */
const ANSWER_MS = 10_000;
/** Milliseconds that a server may be away before the run is given up. */
const AWAY_MS = 10 * 60_000;
/** Milliseconds without any worker before that is said. */
const LONELY_MS = 8000;
/** Shards whose end may have been missed that are looked at in one look. */
const SWEEP = 32;
/** Failures that are read at once. */
const FAILURES = 100;

/**
 * Looks until the root is done, and gives its result.
 *
 * @throws {PlimsollError} what a shard failed with; kind `runtime` where the server is away for too long or the run was
 * cancelled; and the reason of the signal.
 */
export async function follow(following: Following): Promise<unknown> {
  const { shards, signal, note, onProgress, place, run } = following;
  const watch = new Watch(following);
  const total = shards.reduce((sum, { samples }) => sum + samples, 0);
  let pause = LOOK_MS.first;
  let heard = performance.now();
  let isAway = false;
  for (;;) {
    signal.throwIfAborted();
    try {
      const end = await within(ANSWER_MS, watch.look());
      if (isAway) note(`${place} answers again`);
      isAway = false;
      heard = performance.now();
      const { done, workers, shardsDone } = watch;
      const parts = { workers, done: shardsDone, all: shards.length };
      // Only who has the result is at the end.
      if (end !== undefined || done < total) {
        onProgress({ done: end === undefined ? done : total, total, parts });
      }
      if (end !== undefined) return end.result;
      await watch.sayLoneliness();
    } catch (error) {
      if (error instanceof PlimsollError) throw error;
      if (!isAway) note(`${place} doesn't answer (${(error as Error).message}); waits for it`);
      isAway = true;
      if (performance.now() - heard > AWAY_MS) throw away(place, run, error);
    }
    const most = watch.workers > CROWD ? LOOK_MS.crowded : LOOK_MS.most;
    // Only merges are left, which are quick.
    const isNearEnd = watch.shardsDone === shards.length;
    pause = isNearEnd ? LOOK_MS.first : Math.min(most, pause * 1.3);
    await sleep(pause, signal);
  }
}

function away(place: string, run: string, cause: unknown): PlimsollError {
  return new PlimsollError("runtime", {
    action: `following run ${run}`,
    wanted: `${place} to answer`,
    found: `nothing for ${AWAY_MS / 60_000} minutes: ${(cause as Error).message}`,
    remedy: `Start it again, and go on with ${option("resume")}: results of shards are kept`,
    cause,
  });
}

/** What is known of the shards. */
class Watch {
  readonly #following: Following;
  readonly #open: Map<string, FollowedShard>;
  readonly #progress = new Map<string, number>();
  #doneSamples = 0;
  #looks = 0;
  #lonelySince = performance.now();
  #hasSaidLonely = false;
  readonly #told = new Set<string>();
  /** Shards at work. */
  workers = 0;

  constructor(following: Following) {
    this.#following = following;
    this.#open = new Map(following.shards.map((shard) => [shard.id, shard]));
  }

  /** Samples that are gathered, those of shards at work among them. */
  get done(): number {
    let sum = this.#doneSamples;
    for (const samples of this.#progress.values()) sum += samples;
    return sum;
  }

  get shardsDone(): number {
    return this.#following.shards.length - this.#open.size;
  }

  /** Looks once; gives the result when the root is done. */
  async look(): Promise<{ readonly result: unknown } | undefined> {
    const { queue, root, run } = this.#following;
    const job = await queue.getJob(root);
    if (job === undefined) throw gone(run);
    if (job.finishedOn !== undefined && !job.failedReason) {
      // What was counted last may have been missed.
      this.#open.clear();
      this.#progress.clear();
      return { result: job.returnvalue };
    }
    await this.#throwFailure(job);
    const active: (AnyJob | undefined)[] = await queue.getJobs(["active"]);
    const own = active.filter((job) => job?.id?.startsWith(`${root}.`) || job?.id === root)
      .map((job) => job!);
    this.workers = own.length;
    if (own.length > 0) this.#lonelySince = performance.now();
    const before = [...this.#progress.keys()];
    const now = new Set(own.map(({ id }) => id!));
    for (const { id, progress } of own) {
      if (!this.#open.has(id!)) continue;
      const { samples = 0 } = Object(progress) as { samples?: number };
      this.#progress.set(id!, samples);
    }
    // Those that were at work, and some others by turns: short ones are never seen at work.
    const left = before.filter((id) => !now.has(id));
    const others = [...this.#open.keys()].filter((id) => !now.has(id));
    const from = others.length <= SWEEP ? 0 : this.#looks++ * SWEEP % others.length;
    for (const id of new Set([...left, ...others.slice(from, from + SWEEP)])) {
      const found = await queue.getJob(id);
      if (found?.finishedOn !== undefined && !found.failedReason) {
        this.#doneSamples += this.#open.get(id)?.samples ?? 0;
        this.#open.delete(id);
        this.#progress.delete(id);
      }
    }
  }

  /** Throws what the first shard that failed has failed with. */
  async #throwFailure(rootJob: AnyJob): Promise<void> {
    const { queue, root, shards } = this.#following;
    const failed: (AnyJob | undefined)[] = await queue.getJobs(["failed"], 0, FAILURES);
    const own = new Map(
      failed.filter((job) => job?.id?.startsWith(`${root}.`)).map((job) => [job!.id!, job!]),
    );
    const shard = shards.find(({ id }) => own.has(id));
    if (shard !== undefined) throw failureOf(own.get(shard.id)!.failedReason ?? "", shard.title);
    const merge = [...own.values()].find(({ failedReason }) => isOwnFailure(failedReason));
    if (merge !== undefined) throw failureOf(merge.failedReason ?? "", "a merge");
    const { finishedOn, failedReason } = rootJob;
    if (finishedOn !== undefined && isOwnFailure(failedReason)) {
      throw failureOf(failedReason ?? "", shards.length === 1 ? shards[0].title : "the last merge");
    }
  }

  /** Says once that nobody works, and which workers there are that don't fit. */
  async sayLoneliness(): Promise<void> {
    const { queue, runs, run, note, place } = this.#following;
    if (performance.now() - this.#lonelySince < LONELY_MS) return;
    this.#lonelySince = performance.now();
    const { logs } = await within(ANSWER_MS, runs.getJobLogs(run));
    for (const text of logs) {
      if (!this.#told.has(text)) note(text);
      this.#told.add(text);
    }
    if (this.#hasSaidLonely || await within(ANSWER_MS, queue.getWorkersCount()) > 0) return;
    this.#hasSaidLonely = true;
    note(`no worker takes shards of this run yet: start some with worker --queue ${place}`);
  }
}

/** Whether a merge failed by itself, and not because a shard did. */
function isOwnFailure(reason: string | undefined): boolean {
  return reason !== undefined && !/^child .* failed/.test(reason);
}

function gone(run: string): PlimsollError {
  return new PlimsollError("runtime", {
    action: `following run ${run}`,
    wanted: "its jobs in the queue",
    found: "that somebody has cancelled it, or the server has lost them",
    remedy: `Go on with ${option("resume")}: results of shards are kept`,
  });
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}
