/**
 * What a worker and its threads say to each other.
 *
 *     worker ── start ───────► thread        an order, the positions of a shard
 *     worker ◄─────── progress ─ thread      after every batch
 *     worker ◄─ done / failed ─ thread
 *
 * To stop at the end of a batch there is a flag in shared memory: a thread at work hears no message.
 *
 * @module
 */
import type { SentError } from "../../pipeline/workers/messages.ts";
import type { FullOrder } from "./job.ts";

/** From a worker to its thread. */
export interface ToShardThread {
  readonly kind: "start";
  readonly order: FullOrder;
  readonly ranges: readonly (readonly [number, number])[];
  /** Other than 0: end with the batch at hand. */
  readonly flag: SharedArrayBuffer;
}

/** From a thread to its worker. */
export type FromShardThread =
  | { readonly kind: "progress"; readonly samples: number }
  | {
    readonly kind: "done";
    readonly part: Uint8Array<ArrayBuffer> | undefined;
    readonly samples: number;
    readonly next: number | undefined;
    readonly isStopped: boolean;
    readonly notes: readonly string[];
  }
  | {
    readonly kind: "failed";
    readonly error: SentError;
    /** Whether it failed before the first sample, which may be the machine's fault. */
    readonly isPlace: boolean;
  };
