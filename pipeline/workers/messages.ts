/**
 * What a calibration and its workers say to each other.
 *
 *     pool ── start ─────────► worker        the model, the target, options
 *     pool ◄──────────── pull ─ worker       one more sample, please; several at once
 *     pool ── sample / end ──► worker        its buffers change hands
 *     pool ◄──────────── done ─ worker       a batch is counted
 *     pool ── snapshot ──────► worker        after the batch at hand
 *     pool ◄────── statistics ─ worker       the answer; and once, unasked, at the end
 *     pool ◄─ skipped / failed ─ worker
 *
 * @module
 */
import type { ErrorKind, ErrorParts } from "../../core/errors.ts";
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { Sample } from "../../core/tensor.ts";
import type { Statistics } from "../statistics/statistics.ts";

/** What a worker needs to begin. */
export interface WorkerJob {
  /** The prepared model, without its large weights. */
  readonly model: Uint8Array<ArrayBuffer>;
  /** Its large weights by location. */
  readonly weights: ReadonlyMap<string, Uint8Array>;
  readonly target: Target;
  readonly modelSha256: string;
  readonly rewrites?: Rewrites;
  /** Samples per run; by their size when absent. */
  readonly batch?: number;
  readonly source?: string;
  readonly preprocessing?: string;
  readonly onNonFinite?: "fail" | "skip";
}

/** From the pool to a worker. */
export type ToWorker =
  | { readonly kind: "start"; readonly job: WorkerJob }
  | { readonly kind: "sample"; readonly sample: Sample }
  | { readonly kind: "end" }
  | { readonly kind: "snapshot" };

/** An error as it travels. */
export type SentError =
  | { readonly kind: ErrorKind; readonly parts: ErrorParts; readonly isNoSample: boolean }
  | { readonly kind: "defect"; readonly message: string };

/** From a worker to the pool. */
export type FromWorker =
  | { readonly kind: "pull" }
  | { readonly kind: "done"; readonly samples: number }
  | { readonly kind: "statistics"; readonly statistics: Statistics; readonly isLast: boolean }
  | { readonly kind: "skipped"; readonly error: SentError }
  | { readonly kind: "failed"; readonly error: SentError };
