/**
 * What the queue carries: keys, hashes and positions, never data or credentials. All of it is checked when it is taken.
 *
 * @module
 */
import { z } from "zod";
import { PlimsollError } from "../../core/errors.ts";
import { firstFaults } from "../../core/first_faults.ts";
import { orderSchema } from "../../pipeline/passes/gathering.ts";
import { preprocessingSchema } from "../../tpc/recipe/preprocessing.ts";

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const range = z.tuple([z.int().min(0), z.int().min(1)]);

/** Names of runs: they are parts of keys. */
export const RUN_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const run = z.string().regex(RUN_NAME);

/** The model of a run, and how its samples are read. */
const sourceSchema = z.strictObject({
  model: z.strictObject({
    /** A path under a shared folder or an address; the demo's where absent. */
    place: z.string().optional(),
    /** Of the file, and of weights beside it. */
    sha256: hash,
    requantize: z.boolean(),
  }),
  data: z.strictObject({
    place: z.string().optional(),
    preprocessing: preprocessingSchema.optional(),
    dataFormat: z.string().optional(),
    inputShape: z.array(z.int()).optional(),
    onBroken: z.enum(["fail", "skip"]).optional(),
    maxPixels: z.number().optional(),
    tokenizer: z.string().optional(),
    batch: z.int().optional(),
  }),
});

/** All that a worker needs to know of a pass; it lies with the results, under its own hash. */
export const fullOrderSchema = z.strictObject({ source: sourceSchema, pass: orderSchema });

/** Samples of a shard that were gathered before it was handed back. */
const checkpointSchema = z.strictObject({
  /** Of the part so far; null where no sample could be read. */
  sha256: hash.nullable(),
  /** Position from which to go on. */
  next: z.int().min(0),
  samples: z.int().min(0),
});

/** A shard. */
export const shardSchema = z.strictObject({
  kind: z.literal("shard"),
  run,
  order: hash,
  /** Number of the shard, from 0, and of all. */
  shard: z.int().min(0),
  of: z.int().min(1),
  ranges: z.array(range).min(1),
  /** How the place of results was called by who submitted it, for messages. */
  results: z.string(),
  checkpoint: checkpointSchema.optional(),
});

/** A merge of at most 16 shards or merges. */
export const mergeSchema = z.strictObject({
  kind: z.literal("merge"),
  run,
  order: hash,
  parts: z.int().min(2).max(16),
  results: z.string(),
});

/** What a job carries. */
export const jobSchema = z.discriminatedUnion("kind", [shardSchema, mergeSchema]);

/** What a job gives. */
export const resultSchema = z.strictObject({
  /** Of the part; null where no sample could be read. */
  sha256: hash.nullable(),
  bytes: z.int().min(0),
  samples: z.int().min(0),
  /** What whoever follows the run is told: samples that were left out. */
  notes: z.array(z.string()),
});

/** A build of Plimsoll and of its runtime: others give other bytes. */
const buildSchema = z.strictObject({
  plimsoll: z.string(),
  runtime: z.string(),
});

/** A run, as it is announced to workers. */
export const announcementSchema = z.strictObject({
  kind: z.literal("run"),
  run,
  /** Hash of all that decides what it gives: another run of the same name has another one. */
  content: hash,
  build: buildSchema,
  /** The queue of its jobs. */
  queue: z.string(),
  results: z.string(),
  /** Who submitted it, and when. */
  machine: z.string(),
  since: z.string(),
});

/** See {@linkcode sourceSchema}. */
export type RunSource = Readonly<z.infer<typeof sourceSchema>>;
/** See {@linkcode fullOrderSchema}. */
export type FullOrder = Readonly<z.infer<typeof fullOrderSchema>>;
/** See {@linkcode shardSchema}. */
export type ShardJob = Readonly<z.infer<typeof shardSchema>>;
/** See {@linkcode mergeSchema}. */
export type MergeJob = Readonly<z.infer<typeof mergeSchema>>;
/** See {@linkcode resultSchema}. */
export type JobResult = Readonly<z.infer<typeof resultSchema>>;
/** See {@linkcode buildSchema}. */
export type Build = Readonly<z.infer<typeof buildSchema>>;
/** See {@linkcode announcementSchema}. */
export type Announcement = Readonly<z.infer<typeof announcementSchema>>;

/** A value of the queue or the results, checked. Throws {@linkcode PlimsollError} kind `input`. */
export function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  throw new PlimsollError("input", {
    action: `taking ${what} from the queue`,
    wanted: "one as this version of plimsoll writes it",
    found: firstFaults(error),
    remedy: "Use another queue name, or see what is in the queue with `queue status`",
  });
}

/** The build in a few words, also as part of the queue's name: whoever has another one listens to another queue. */
export function nameOfBuild({ plimsoll, runtime }: Build): string {
  return `plimsoll ${plimsoll} with ${runtime}`;
}

/** Queue of the jobs of a build. */
export function workQueue(name: string, { plimsoll, runtime }: Build): string {
  return `${name}@${plimsoll}+${runtime.replaceAll(" ", "-")}`;
}

/** Queue in which runs are announced; nobody takes from it. */
export function runsQueue(name: string): string {
  return `${name}-runs`;
}

/** Queue whose only listener is who follows a run: workers and others see by it that there is one. */
export function followerQueue(name: string, run: string): string {
  return `${name}-run-${run}`;
}
