/**
 * What a server and a worker that does a request's work say to each other.
 *
 *     pool ── start ────────────► worker      parts that are held, options, limits
 *     pool ◄───────────── memory ─ worker      what inference computes in, once it is there
 *     pool ◄─────────────── pull ─ worker      more of the samples, please
 *     pool ── chunk / end ──────► worker      its bytes change hands
 *     pool ◄───── progress, note ─ worker
 *     pool ── stop ─────────────► worker      nobody wants the result any more
 *     pool ◄───── done / failed ── worker      the last word about this request; the next may start
 *
 * @module
 */
import type { Progress } from "../../core/progress.ts";
import type { Limits } from "./limits.ts";
import type { ResultFile } from "./operation.ts";
import type { Options } from "./options.ts";
import type { ProblemName } from "./problem.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A request, as far as it can travel. */
export interface RequestJob {
  /** Which operation. */
  readonly path: string;
  readonly files: ReadonlyMap<string, Bytes>;
  readonly options: Options;
  readonly limits: Limits;
  /** Whether samples follow, and what their file is called. */
  readonly samples?: { readonly filename?: string };
}

/** From the pool to a worker. */
export type ToRequestWorker =
  | { readonly kind: "start"; readonly job: RequestJob }
  | { readonly kind: "chunk"; readonly bytes: Bytes }
  | { readonly kind: "end" }
  | { readonly kind: "stop" };

/** A problem as it travels. */
export interface SentProblem {
  readonly problem: ProblemName;
  readonly detail: string;
  /** What a defect says of itself, for the log of the server. */
  readonly trace?: string;
}

/** How a worker is after a request. */
export interface Condition {
  /** Bytes of all its WebAssembly memories, which never shrink. */
  readonly wasmBytes: number;
  /** Whether its runtime answers no more. */
  readonly isLost: boolean;
}

/** From a worker to the pool. */
export type FromRequestWorker =
  | { readonly kind: "memory"; readonly buffer: ArrayBufferLike }
  | { readonly kind: "pull" }
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "note"; readonly text: string }
  | ({ readonly kind: "done"; readonly files: readonly ResultFile[] } & Condition)
  | ({ readonly kind: "failed"; readonly problem: SentProblem } & Condition);
