/**
 * Runs that are announced, and how values of the queue are written.
 *
 * @module
 */
import type { Queue } from "bullmq";
import type { AnyJob } from "./broker.ts";
import { type Announcement, announcementSchema, type ShardJob } from "./job.ts";

/** A run and the job that announces it. */
export interface AnnouncedRun {
  readonly announcement: Announcement;
  readonly job: AnyJob;
}

/** All runs; what isn't one of this version is passed over. */
export async function announcements(queue: Queue): Promise<AnnouncedRun[]> {
  const jobs: (AnyJob | undefined)[] = await queue.getJobs(["waiting", "prioritized"]);
  return jobs.flatMap((job) => {
    const { success, data } = announcementSchema.safeParse(job?.data);
    return success ? [{ announcement: data, job: job! }] : [];
  });
}

/** JSON as bytes. */
export function encode(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** JSON from bytes. */
export function decode(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** Where the result of a shard is noted: any worker finds it, whichever job asks. */
export function pointerKey(
  { run, order, ranges }: Pick<ShardJob, "run" | "order" | "ranges">,
): string {
  const count = ranges.reduce((sum, [start, end]) => sum + end - start, 0);
  return `${run}/shards/${order.slice(0, 16)}-${ranges[0][0]}-${ranges.at(-1)![1]}-${count}.json`;
}
