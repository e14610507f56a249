/**
 * How much one client, and all of them together, may take.
 *
 * @module
 */

/** Limits of a handler. */
export interface Limits {
  /** Bytes of a request's body. Samples stream, so this bounds time rather than memory. Default 4 GiB. */
  readonly maxBodyBytes: number;
  /** Bytes of a model, which is held in memory. Default 256 MiB. */
  readonly maxModelBytes: number;
  /** Bytes of a statistics file or a manifest, held in memory. Default 64 MiB. */
  readonly maxFileBytes: number;
  /** Largest `batch` that a client may ask for: two of them are in memory. Default 64. */
  readonly maxBatch: number;
  /** Most pixels of an image. Default 2^25. */
  readonly maxPixels: number;
  /** Seconds from the moment when work begins. Default 600. */
  readonly maxSeconds: number;
  /** Seconds for which a client may send nothing, or take nothing of the result. Default 30. */
  readonly maxStallSeconds: number;
  /** Requests at work at once. Default 4. */
  readonly maxActive: number;
  /** Requests that wait for that, 64 KiB of their bodies read. More are turned away. Default 32. */
  readonly maxWaiting: number;
  /** Seconds that requests at work have when the server is told to end. Default 4. */
  readonly maxShutdownSeconds: number;
}

/** What holds where nothing else is said. */
export const DEFAULT_LIMITS: Limits = {
  maxBodyBytes: 2 ** 32,
  maxModelBytes: 2 ** 28,
  maxFileBytes: 2 ** 26,
  maxBatch: 64,
  maxPixels: 3 * 2 ** 23,
  maxSeconds: 600,
  maxStallSeconds: 30,
  maxActive: 4,
  maxWaiting: 32,
  maxShutdownSeconds: 4,
};
