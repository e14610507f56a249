/**
 * Takes runs out of the queue.
 *
 * @module
 */
import type { AnnouncedRun } from "./announcements.ts";
import type { AnyJob, Broker } from "./broker.ts";

/** Jobs that are read at once. */
const PAGE = 1000;
/** States that a job can be in. */
const STATES = [
  "active",
  "waiting",
  "waiting-children",
  "delayed",
  "prioritized",
  "completed",
  "failed",
] as const;

/** A state that a job can be in. */
export type JobState = (typeof STATES)[number];

/** All jobs of a queue, of one run or of all, in some states or whichever. */
export async function jobsOf(
  broker: Broker,
  queue: string,
  { run, states = STATES }: { readonly run?: string; readonly states?: readonly JobState[] } = {},
): Promise<AnyJob[]> {
  const found: AnyJob[] = [];
  for (const state of states) {
    for (let start = 0;; start += PAGE) {
      const jobs: (AnyJob | undefined)[] = await broker.queue(queue)
        .getJobs([state], start, start + PAGE - 1);
      const own = jobs.filter((job) =>
        job !== undefined && (run === undefined || job.id?.startsWith(`${run}.`))
      );
      found.push(...own.map((job) => job!));
      if (jobs.length < PAGE) break;
    }
  }
  return found;
}

/**
 * Takes a run out of the queue, with all of its jobs. Workers give up its shards when they see that it is gone: those at
 * work can't be taken from them.
 */
export async function removeRun(
  broker: Broker,
  { announcement: { run, queue }, job }: AnnouncedRun,
): Promise<void> {
  await job.remove().catch(() => {});
  // Merges first: with them go the shards below that nobody holds.
  const jobs = await jobsOf(broker, queue, { run });
  for (const each of jobs.filter(({ name }) => name === "merge")) {
    await each.remove({ removeChildren: true }).catch(() => {});
  }
  for (const each of await jobsOf(broker, queue, { run })) await each.remove().catch(() => {});
}
