/**
 * What workers at the edge have in common.
 *
 * @module
 */
import type { Limits } from "../http/limits.ts";

/** Variables and secrets of a worker; see `http/settings.ts` for those that are read. */
export type WorkerEnvironment = Readonly<Record<string, string | undefined>>;

/** The default export of a worker. */
export interface WorkerHandler {
  /** Answers a request. */
  fetch(request: Request, environment: WorkerEnvironment): Promise<Response>;
}

/** Limits that suit the 128 MB of an isolate; variables change them. */
export const DEFAULTS_128_MB: Partial<Limits> = {
  maxModelBytes: 2 ** 23,
  maxFileBytes: 2 ** 23,
  maxBatch: 8,
  maxPixels: 2 ** 22,
  maxActive: 1,
};
