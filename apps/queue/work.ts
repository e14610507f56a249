/**
 * A worker: takes shards and merges from the queue until it is told to stop. Shards are gathered in threads of their own,
 * so that the queue hears in time that they are at work.
 *
 * @module
 */
import type { Worker } from "bullmq";
import { PlimsollError } from "../../core/errors.ts";
import type { HostWorker } from "../../core/host.ts";
import { mergeParts } from "../../pipeline/passes/gathering.ts";
import { type AnnouncedRun, announcements, decode, encode, pointerKey } from "./announcements.ts";
import { type AnyJob, type Broker, within } from "./broker.ts";
import { failureText } from "./failure.ts";
import {
  type Build,
  checked,
  type FullOrder,
  fullOrderSchema,
  type JobResult,
  jobSchema,
  type MergeJob,
  nameOfBuild,
  resultSchema,
  runsQueue,
  type ShardJob,
  workQueue,
} from "./job.ts";
import { atPlace, PlaceError } from "./place_error.ts";
import { ShardThread } from "./shard_client.ts";
import { readHashed, type Store, writeHashed } from "./store.ts";

/** What {@linkcode work} needs. */
export interface WorkerSettings {
  readonly broker: Broker;
  /** Name of the queues. */
  readonly name: string;
  readonly build: Build;
  readonly store: Store;
  /** What others call this worker. */
  readonly machine: string;
  /** Shards at once. */
  readonly threads: number;
  readonly startThread: () => HostWorker;
  /** A shard whose worker has said nothing for so many milliseconds is given to another one. */
  readonly silenceMs: number;
  /** Ends the worker: batches at hand are finished, and shards handed back. */
  readonly signal: AbortSignal;
  /** Told what it does, a sentence each. */
  readonly note: (text: string) => void;
}

/** Times that a shard is given out again whose worker has ended. */
const MAX_STALLED = 6;
/** How often runs are looked at: for those that fit no worker like this, and those that were cancelled. */
const LOOK_MS = 3000;
/** Milliseconds that a batch at hand has to end. */
const BATCH_MS = 5000;
/** Milliseconds that the queue has then to take shards back. */
const HAND_BACK_MS = 1500;
/** Milliseconds between two times that the queue is told how far a shard is. */
const TELL_MS = 1500;

/** Works until the signal aborts. */
export async function work(settings: WorkerSettings): Promise<void> {
  const { broker, name, build, signal, note, threads, silenceMs, machine } = settings;
  const shop = new Workshop(settings);
  const worker = broker.worker(workQueue(name, build), (job, token) => shop.process(job, token), {
    name: machine,
    concurrency: threads,
    lockDuration: silenceMs,
    stalledInterval: Math.max(1000, silenceMs / 2),
    maxStalledCount: MAX_STALLED,
    // A server that went away is asked again soon.
    runRetryDelay: 2000,
  });
  note(`takes shards of ${name} at ${broker.place}, ${nameOfBuild(build)}`);
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  const looking = shop.look(stopped);
  await stopped;
  note("stops: finishes the batch at hand, and hands back what it has");
  await within(BATCH_MS + HAND_BACK_MS, end(worker, shop)).catch(() => {});
  await looking;
  shop.close();
}

/** No more jobs, and those at hand are stopped. */
async function end(worker: Worker, shop: Workshop): Promise<void> {
  const closing = worker.close();
  await shop.stop();
  await closing;
}

/** What is at work, and how it is done. */
class Workshop {
  readonly #settings: WorkerSettings;
  readonly #idle: ShardThread[] = [];
  readonly #atWork = new Map<string, { readonly run: string; readonly thread: ShardThread }>();
  readonly #told = new Set<string>();
  #isStopping = false;
  #settled: Promise<unknown>[] = [];

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
  }

  /** Does a job, and gives its result. What one machine would have failed with isn't tried again. */
  async process(job: AnyJob, token: string | undefined): Promise<JobResult> {
    const done = this.#process(job, token);
    this.#settled.push(done.catch(() => {}));
    return await done;
  }

  async #process(job: AnyJob, token: string | undefined): Promise<JobResult> {
    const { errors } = this.#settings.broker;
    try {
      const data = checked(jobSchema, job.data, "a job");
      return data.kind === "merge"
        ? await this.#merge(job, data)
        : await this.#shard(job, data, token);
    } catch (error) {
      if (!(error instanceof PlimsollError)) throw error;
      this.#settings.note(`${job.id} failed: ${error.message}`);
      if (error instanceof PlaceError) throw new Error(failureText(error));
      throw new errors.UnrecoverableError(failureText(error));
    }
  }

  async #merge(job: AnyJob, { run, order: key, parts, results }: MergeJob): Promise<JobResult> {
    const { store } = this.#settings;
    const order = await this.#order(run, key, results);
    const children = Object.values(await job.getChildrenValues())
      .map((value) => checked(resultSchema, value, "the result of a shard"));
    if (children.length !== parts) {
      throw new PlaceError("input", {
        action: `merging ${job.id}`,
        wanted: `${parts} results of shards`,
        found: `${children.length}`,
        remedy: "See what is in the queue with `queue status`, and submit the run again",
      });
    }
    const hashes = children.flatMap(({ sha256 }) => sha256 === null ? [] : [sha256]);
    const files = await Promise.all(
      hashes.map((hash) => atPlace(() => readHashed(store, run, hash))),
    );
    const merged = files.length === 0 ? undefined : await mergeParts(order.pass, files);
    return await this.#keep(run, merged, {
      samples: children.reduce((sum, { samples }) => sum + samples, 0),
      notes: [...new Set(children.flatMap(({ notes }) => notes))].slice(0, MAX_NOTES),
    });
  }

  async #shard(job: AnyJob, data: ShardJob, token: string | undefined): Promise<JobResult> {
    const { store, note } = this.#settings;
    const { run, results } = data;
    const known = await this.#known(data);
    if (known !== undefined) return known;
    const order = await this.#order(run, data.order, results);
    const { checkpoint } = data;
    const before = checkpoint?.sha256
      ? await atPlace(() => readHashed(store, run, checkpoint.sha256!))
      : undefined;
    const id = job.id!;
    const title = `shard ${data.shard + 1} of ${data.of} of ${run}`;
    note(`${title}: ${checkpoint ? `goes on behind ${checkpoint.samples} samples` : "begins"}`);
    const thread = this.#idle.pop() ?? new ShardThread(this.#settings.startThread());
    this.#atWork.set(id, { run, thread });
    let last = 0;
    try {
      if (this.#isStopping) thread.stop();
      const from = checkpoint?.samples ?? 0;
      const outcome = await thread.gather(order, behind(data, checkpoint?.next), (samples) => {
        const now = performance.now();
        if (now - last < TELL_MS) return;
        last = now;
        job.updateProgress({ samples: from + samples }).catch(() => {});
      });
      const parts = [before, outcome.part].filter((part) => part !== undefined);
      const part = parts.length === 0 ? undefined : await mergeParts(order.pass, parts);
      const samples = from + outcome.samples;
      if (outcome.kind === "cancelled") {
        throw new this.#settings.broker.errors.UnrecoverableError("cancelled");
      }
      if (outcome.kind === "stopped") {
        return await this.#handBack(job, token, { data, part, next: outcome.next, samples });
      }
      const result = await this.#keep(run, part, { samples, notes: outcome.notes });
      await atPlace(() => store.write(pointerKey(data), encode(result)));
      note(`${title}: done, ${samples} samples`);
      this.#idle.push(thread);
      return result;
    } catch (error) {
      // Whatever state it is in.
      thread.end();
      throw error;
    } finally {
      this.#atWork.delete(id);
    }
  }

  /** What a shard has given before: to another worker, or to an earlier run that is resumed. */
  async #known(data: ShardJob): Promise<JobResult | undefined> {
    const { store } = this.#settings;
    const bytes = await atPlace(() => store.read(pointerKey(data)));
    if (bytes === undefined) return undefined;
    try {
      const result = checked(resultSchema, decode(bytes), "the result of a shard");
      if (result.sha256 !== null) await readHashed(store, data.run, result.sha256);
      return result;
    } catch {
      // Gathered anew.
      return undefined;
    }
  }

  async #handBack(
    job: AnyJob,
    token: string | undefined,
    { data, part, next, samples }: {
      readonly data: ShardJob;
      readonly part: Uint8Array | undefined;
      readonly next: number | undefined;
      readonly samples: number;
    },
  ): Promise<never> {
    const { store, broker, note } = this.#settings;
    if (next !== undefined) {
      const sha256 = part === undefined ? null : await writeHashed(store, data.run, part);
      await job.updateData({ ...data, checkpoint: { sha256, next, samples } });
    }
    await job.moveToWait(token);
    note(
      `shard ${data.shard + 1} of ${data.of} of ${data.run}: handed back behind ${samples} samples`,
    );
    throw new broker.errors.WaitingError();
  }

  async #order(run: string, key: string, results: string): Promise<FullOrder> {
    const { store } = this.#settings;
    const bytes = await atPlace(
      () => readHashed(store, run, key),
      ` (the run's are at ${results})`,
    );
    return checked(fullOrderSchema, decode(bytes), "an order");
  }

  async #keep(
    run: string,
    part: Uint8Array | undefined,
    rest: Pick<JobResult, "samples" | "notes">,
  ): Promise<JobResult> {
    const { store } = this.#settings;
    const sha256 = part === undefined ? null : await atPlace(() => writeHashed(store, run, part));
    return { sha256, bytes: part?.length ?? 0, ...rest };
  }

  /** Tells threads to stop, and waits for what becomes of their shards. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const { thread } of this.#atWork.values()) thread.stop();
    const late = setTimeout(() => {
      for (const { thread } of this.#atWork.values()) thread.giveUp("stopped");
    }, BATCH_MS);
    await Promise.all(this.#settled);
    clearTimeout(late);
  }

  /** Looks at the runs now and then: says which ones it doesn't fit, and leaves those that were cancelled. */
  async look(stopped: Promise<void>): Promise<void> {
    const { broker, name } = this.#settings;
    const queue = broker.queue(runsQueue(name));
    let isOver = false;
    stopped.then(() => isOver = true);
    while (!isOver) {
      const runs = await within(LOOK_MS, announcements(queue)).catch(() => undefined);
      if (runs !== undefined) await this.#lookAt(runs);
      this.#settled = this.#settled.slice(-2 * this.#settings.threads);
      await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
    }
  }

  async #lookAt(runs: readonly AnnouncedRun[]): Promise<void> {
    const { build, machine, note, name } = this.#settings;
    for (const { run, thread } of this.#atWork.values()) {
      if (!runs.some(({ announcement }) => announcement.run === run)) thread.giveUp("cancelled");
    }
    for (const { announcement, job } of runs) {
      const wanted = announcement.build;
      if (workQueue(name, wanted) === workQueue(name, build) || this.#told.has(job.id!)) continue;
      this.#told.add(job.id!);
      note(
        `takes nothing of run ${announcement.run}: it wants ${nameOfBuild(wanted)}, and this is ${
          nameOfBuild(build)
        }`,
      );
      await job.log(`${machine} takes nothing: it is ${nameOfBuild(build)}`).catch(() => {});
    }
  }

  /** Ends the threads. */
  close(): void {
    for (const thread of this.#idle) thread.end();
    for (const { thread } of this.#atWork.values()) thread.end();
  }
}

/** Notes of samples that were left out, at most, of a run. */
const MAX_NOTES = 20;

/** The samples of a shard from a position on. */
function behind({ ranges }: ShardJob, next = 0): [number, number][] {
  return ranges.filter(([_, end]) => end > next).map((
    [start, end],
  ) => [Math.max(start, next), end]);
}
