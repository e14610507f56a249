/**
 * A run as whoever submits it sees it: passes are cut into shards, handed to the queue as a flow of shards and merges, and
 * followed until their merged result is there.
 *
 *     order ─► results place          merge ◄── merge ◄── shards 1 … 16
 *     flow  ─► queue                        ◄── merge ◄── shards 17 … 32
 *
 * @module
 */
import type { FlowJob, Queue } from "bullmq";
import { compactJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { sha256 } from "../../core/hash.ts";
import { option } from "../../core/option_words.ts";
import type { Elsewhere, PassElsewhere } from "../../pipeline/quantize/elsewhere.ts";
import type { Broker } from "./broker.ts";
import { countOf, cutRanges, type MergeTree, mergeTree, type Ranges, shardSize } from "./cut.ts";
import { follow } from "./follow.ts";
import {
  type Announcement,
  type Build,
  checked,
  followerQueue,
  fullOrderSchema,
  type MergeJob,
  resultSchema,
  type RunSource,
  runsQueue,
  type ShardJob,
  workQueue,
} from "./job.ts";
import { announcements, encode } from "./announcements.ts";
import { readHashed, type Store, writeHashed } from "./store.ts";
import { removeRun } from "./remove_run.ts";

/** What {@linkcode submitRun} needs. */
export interface RunSettings {
  readonly broker: Broker;
  /** Name of the queues. */
  readonly name: string;
  /** Name of the run. */
  readonly run: string;
  readonly build: Build;
  readonly source: RunSource;
  /** All that decides what the run gives besides the source, for the run's identity. */
  readonly wishes: unknown;
  readonly store: Store;
  /** What others call this machine. */
  readonly machine: string;
  /** Shards of a pass; by time when absent. */
  readonly shards?: number;
  /** Whether an earlier run of this name is gone on with. */
  readonly isResumed: boolean;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
}

/** A run that is announced. */
export interface SubmittedRun extends Elsewhere {
  /** Takes what is left of it out of the queue; the results go, too, where it ended well. */
  end(isDone: boolean): Promise<void>;
}

/** Times that a shard is tried whose worker could not open what it needs, and milliseconds between them. */
const ATTEMPTS = 3;
const BACKOFF_MS = 2000;

/**
 * Announces a run.
 *
 * @throws {PlimsollError} kind `usage` where a run of this name is there already, and what the server and the place of
 * results throw.
 */
export async function submitRun(settings: RunSettings): Promise<SubmittedRun> {
  const { broker, name, run, build, store, machine, isResumed, note } = settings;
  await store.check();
  const content = await sha256(compactJson([settings.source, settings.wishes, build]));
  const runs = broker.queue(runsQueue(name));
  const known = (await announcements(runs)).find(({ announcement }) => announcement.run === run);
  if (known !== undefined) {
    const isFollowed = (await broker.queue(followerQueue(name, run)).getWorkers()).length > 0;
    refuseKnown(known.announcement, { content, isResumed, isFollowed, place: broker.place });
    note(`goes on with run ${run}, which ${known.announcement.machine} has submitted`);
    await removeRun(broker, known);
  }
  const remains = await store.read(`${run}/content`);
  if (remains !== undefined && new TextDecoder().decode(remains) !== content) {
    throw taken(run, store.place, "results of another model, other data or options");
  }
  if (remains !== undefined && !isResumed) {
    throw taken(
      run,
      store.place,
      "results of an earlier one",
      `go on with ${option("resume")}, or `,
    );
  }
  await store.write(`${run}/content`, new TextEncoder().encode(content));
  // Only shows up in the server's list of clients, for as long as this process is there.
  broker.worker(followerQueue(name, run), undefined, { name: machine });
  const announcement: Announcement = {
    kind: "run",
    run,
    content,
    build,
    queue: workQueue(name, build),
    results: store.place,
    machine,
    since: new Date().toISOString(),
  };
  await runs.add("run", announcement, { jobId: run });
  return new Run(settings, announcement, runs);
}

function refuseKnown(
  { machine, since, content: found }: Announcement,
  { content, isResumed, isFollowed, place }: {
    readonly content: string;
    readonly isResumed: boolean;
    readonly isFollowed: boolean;
    readonly place: string;
  },
): void {
  const isSame = found === content;
  if (isSame && isResumed && !isFollowed) return;
  throw new PlimsollError("usage", {
    action: `submitting a run to ${place}`,
    wanted: `a name that no run there has, in ${option("runName")}`,
    found:
      `one ${
        isSame ? "of the same" : "of another"
      } model, data and options, from ${machine} at ${since}` +
      (isFollowed ? ", which is still followed" : ", which nobody follows any more"),
    remedy: isSame && !isFollowed
      ? `Go on with it with ${option("resume")}`
      : `Give another ${option("runName")}, or end that one with \`queue cancel\``,
  });
}

function taken(run: string, place: string, found: string, first = ""): PlimsollError {
  const rest = `give another ${option("runName")}, or remove them with \`queue clean\``;
  const remedy = first + rest;
  return new PlimsollError("usage", {
    action: `submitting run ${run}`,
    wanted: `a name that has no results at ${place} yet`,
    found,
    remedy: remedy[0].toUpperCase() + remedy.slice(1),
  });
}

class Run implements SubmittedRun {
  readonly #settings: RunSettings;
  readonly #announcement: Announcement;
  readonly #runs: Queue;
  /** Samples that this machine gathers a second; found out once. */
  #rate: number | undefined;
  #passes = 0;
  /** Of this process, so that what an earlier one has left in the queue is never taken for its own. */
  readonly #mark = crypto.randomUUID().slice(0, 8);

  constructor(settings: RunSettings, announcement: Announcement, runs: Queue) {
    this.#settings = settings;
    this.#announcement = announcement;
    this.#runs = runs;
  }

  async gather(pass: PassElsewhere): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { broker, store, run, source, note } = this.#settings;
    const { signal = this.#settings.signal, onProgress, stage } = pass;
    const order = checked(fullOrderSchema, plain({ source, pass: pass.order }), "an order");
    const key = await writeHashed(store, run, encode(order));
    const shards = await this.#cut(key, pass);
    const queue = broker.queue(this.#announcement.queue);
    const flow = this.#flow(key, shards, `${run}.${this.#mark}.${++this.#passes}`);
    const title = (i: number) =>
      `shard ${i + 1} of ${shards.length} (samples ${shards[i][0][0]} to ${
        shards[i].at(-1)![1] - 1
      })`;
    await broker.flow.add(flow);
    note(
      `${stage}: ${countOf(pass.ranges)} samples in ${shards.length} shard${
        shards.length === 1 ? "" : "s"
      }`,
    );
    const result = await follow({
      queue,
      runs: this.#runs,
      run,
      root: flow.opts!.jobId!,
      shards: shards.map((ranges, i) => ({
        id: shardId(flow.opts!.jobId!, i),
        samples: countOf(ranges),
        title: title(i),
      })),
      place: broker.place,
      signal,
      note,
      onProgress: (progress) => onProgress?.({ ...progress, stage }),
    });
    const { sha256: hash, notes } = checked(resultSchema, result, "the result of a run");
    for (const text of new Set(notes)) note(text);
    await queue.remove(flow.opts!.jobId!, { removeChildren: true }).catch(() => {});
    return hash === null ? undefined : await readHashed(store, run, hash);
  }

  async end(isDone: boolean): Promise<void> {
    const { broker, run, store } = this.#settings;
    const job = (await announcements(this.#runs)).find(({ announcement }) =>
      announcement.run === run
    );
    if (job !== undefined) await removeRun(broker, job);
    if (isDone) await store.remove(await store.list(`${run}/`));
  }

  /** The cut of an earlier run of the same order holds, so that its results are found again. */
  async #cut(order: string, { ranges, multiple, measure }: PassElsewhere): Promise<Ranges[]> {
    const { store, run, shards } = this.#settings;
    const total = countOf(ranges);
    const key = `${run}/cuts/${order}`;
    const before = await store.read(key);
    let count = shards ?? (before && Number(new TextDecoder().decode(before)));
    if (!count) {
      this.#rate ??= await measure();
      count = Math.ceil(total / shardSize(total, this.#rate));
    }
    if (before === undefined) await store.write(key, new TextEncoder().encode(String(count)));
    return cutRanges(ranges, count, multiple);
  }

  #flow(order: string, shards: readonly Ranges[], id: string): FlowJob {
    const { run, store: { place: results } } = this.#settings;
    const queueName = this.#announcement.queue;
    const opts = {
      attempts: ATTEMPTS,
      backoff: { type: "fixed", delay: BACKOFF_MS },
      // Taken out when the run has read its result; what a lost run has left goes after a week.
      removeOnComplete: { age: 7 * 24 * 3600 },
      removeOnFail: { age: 7 * 24 * 3600 },
    };
    let merges = 0;
    const flowOf = (tree: MergeTree, parent: boolean): FlowJob => {
      const childOpts = { ...opts, ...(parent ? { failParentOnFailure: true } : {}) };
      if (typeof tree === "number") {
        const data: ShardJob = {
          kind: "shard",
          run,
          order,
          results,
          shard: tree,
          of: shards.length,
          ranges: shards[tree].map(([start, end]) => [start, end]),
        };
        return { name: "shard", queueName, data, opts: { ...childOpts, jobId: shardId(id, tree) } };
      }
      const data: MergeJob = { kind: "merge", run, order, results, parts: tree.length };
      const jobId = parent ? `${id}.merge${++merges}` : id;
      const children = tree.map((child) => flowOf(child, true));
      return { name: "merge", queueName, data, opts: { ...childOpts, jobId }, children };
    };
    // The only shard of a pass is the whole of it.
    return flowOf(mergeTree(shards.length), false);
  }
}

function shardId(root: string, shard: number): string {
  return `${root}.shard${shard}`;
}

/** As JSON has it: without what is undefined. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
