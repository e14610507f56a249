/**
 * A thread that gathers shards, as its worker sees it.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { HostWorker } from "../../core/host.ts";
import { receiveError } from "../../pipeline/workers/sent_errors.ts";
import type { FullOrder } from "./job.ts";
import { PlaceError } from "./place_error.ts";
import type { FromShardThread, ToShardThread } from "./shard_messages.ts";

/** What became of a shard. */
export interface Outcome {
  /** `stopped`: as far as it went. */
  readonly kind: "done" | "stopped" | "cancelled";
  readonly part: Uint8Array<ArrayBuffer> | undefined;
  readonly samples: number;
  /** Position to go on from, of what was stopped. */
  readonly next: number | undefined;
  readonly notes: string[];
}

/** What was given up. */
const NOTHING = { part: undefined, samples: 0, next: undefined, notes: [] };

/** A thread; one shard at a time. */
export class ShardThread {
  readonly #worker: HostWorker;
  readonly #flag = new SharedArrayBuffer(4);
  #giveUp: (kind: "stopped" | "cancelled") => void = () => {};

  constructor(worker: HostWorker) {
    this.#worker = worker;
  }

  /**
   * Gathers the samples of a shard.
   *
   * @throws {PlimsollError} what one machine would throw; {@linkcode PlaceError} where another might not.
   */
  gather(
    order: FullOrder,
    ranges: readonly (readonly [number, number])[],
    onProgress: (samples: number) => void,
  ): Promise<Outcome> {
    if (ranges.length === 0) return Promise.resolve({ ...NOTHING, kind: "done" });
    return new Promise((resolve, reject) => {
      this.#giveUp = (kind) => {
        this.end();
        resolve({ ...NOTHING, kind });
      };
      this.#worker.onmessage = ({ data }: MessageEvent<FromShardThread>) => {
        switch (data.kind) {
          case "progress":
            return onProgress(data.samples);
          case "done": {
            const { part, samples, next, notes, isStopped } = data;
            const kind = isStopped ? "stopped" : "done";
            return resolve({ kind, part, samples, next, notes: [...notes] });
          }
          case "failed": {
            const error = receiveError(data.error);
            const isPlace = data.isPlace && error instanceof PlimsollError;
            return reject(isPlace ? new PlaceError(error.kind, error.parts) : error);
          }
          default:
            data satisfies never;
        }
      };
      this.#worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`A thread failed: ${event.message}`));
      };
      const message: ToShardThread = { kind: "start", order, ranges, flag: this.#flag };
      this.#worker.postMessage(message);
    });
  }

  /** Ends the shard with the batch at hand. */
  stop(): void {
    Atomics.store(new Int32Array(this.#flag), 0, 1);
  }

  /** Ends the thread, whatever it does. */
  giveUp(kind: "stopped" | "cancelled"): void {
    this.#giveUp(kind);
  }

  /** Ends the thread. */
  end(): void {
    this.#worker.terminate();
  }
}
