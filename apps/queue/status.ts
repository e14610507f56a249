/**
 * What is in a queue, and how runs are taken out of it.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { announcements } from "./announcements.ts";
import type { Broker } from "./broker.ts";
import { type Build, followerQueue, nameOfBuild, RUN_NAME, runsQueue, workQueue } from "./job.ts";
import { jobsOf, type JobState, removeRun } from "./remove_run.ts";
import type { Store } from "./store.ts";

/** A run in the queue. */
export interface RunStatus {
  readonly run: string;
  /** Builds that take its shards, in words. */
  readonly build: string;
  /** Shards of the pass at hand; a merge isn't one. */
  readonly shards: {
    readonly waiting: number;
    readonly active: number;
    readonly completed: number;
    readonly failed: number;
  };
  /** Workers that take such shards, of whatever run. */
  readonly workers: number;
  readonly isFollowed: boolean;
  readonly machine: string;
  readonly since: string;
  readonly results: string;
}

/** All runs. */
export async function queueStatus(broker: Broker, name: string): Promise<RunStatus[]> {
  const found: RunStatus[] = [];
  for (const { announcement } of await announcements(broker.queue(runsQueue(name)))) {
    const { run, build, queue, machine, since, results } = announcement;
    const count = async (...states: JobState[]) =>
      (await jobsOf(broker, queue, { run, states })).filter(({ name }) => name === "shard").length;
    found.push({
      run,
      machine,
      since,
      results,
      build: nameOfBuild(build),
      shards: {
        waiting: await count("waiting", "delayed", "prioritized"),
        active: await count("active"),
        completed: await count("completed"),
        failed: await count("failed"),
      },
      workers: await broker.queue(queue).getWorkersCount(),
      isFollowed: await isFollowed(broker, name, run),
    });
  }
  return found;
}

async function isFollowed(broker: Broker, name: string, run: string): Promise<boolean> {
  return await broker.queue(followerQueue(name, run)).getWorkersCount() > 0;
}

/**
 * Takes a run out of the queue, and its results out of a store; gives the number of its jobs.
 *
 * @throws {PlimsollError} kind `usage` where there is no such run.
 */
export async function cancelRun(
  broker: Broker,
  name: string,
  run: string,
  store?: Store,
): Promise<number> {
  const all = await announcements(broker.queue(runsQueue(name)));
  const found = all.find(({ announcement }) => announcement.run === run);
  if (found === undefined) {
    throw new PlimsollError("usage", {
      action: `looking for run ${JSON.stringify(run)} at ${broker.place}`,
      wanted: "one that is there",
      found: all.map(({ announcement: { run } }) => run).join(", ") || "none at all",
      remedy: "See what there is with `queue status`",
    });
  }
  const jobs = await jobsOf(broker, found.announcement.queue, { run });
  await removeRun(broker, found);
  await store?.remove(await store.list(`${run}/`));
  return jobs.length;
}

/**
 * Takes all runs out of the queue that nobody follows, with what earlier ones have left there, and from a store what
 * belongs to no run that is left.
 *
 * @param build Whose queue is looked at, besides those of runs.
 */
export async function cleanRuns(
  broker: Broker,
  name: string,
  build: Build,
  store?: Store,
): Promise<{ readonly runs: string[]; readonly files: number }> {
  const runs: string[] = [];
  const left = new Set<string>();
  const queues = new Set([workQueue(name, build)]);
  for (const announced of await announcements(broker.queue(runsQueue(name)))) {
    const { run, queue } = announced.announcement;
    queues.add(queue);
    if (await isFollowed(broker, name, run)) {
      left.add(run);
      continue;
    }
    await removeRun(broker, announced);
    runs.push(run);
  }
  for (const queue of queues) {
    for (const job of await jobsOf(broker, queue)) {
      const isLeft = left.has(String((job.data as { run?: unknown } | undefined)?.run));
      // One at work can't be taken from its worker, which gives it up.
      if (!isLeft) await job.remove().catch(() => {});
    }
  }
  const keys = await store?.list("") ?? [];
  // What isn't laid out as runs are is somebody else's.
  const own = keys.filter((key) => {
    const [, run, rest] = /^([^/]+)\/(.+)$/.exec(key) ?? [];
    return run !== undefined && RUN_NAME.test(run) && !left.has(run) &&
      /^(content|(cuts|shards)\/[^/]+|[0-9a-f]{2}\/[0-9a-f]{64})$/.test(rest);
  });
  await store?.remove(own);
  return { runs, files: own.length };
}
