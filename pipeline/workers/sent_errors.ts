/**
 * Errors between threads.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { NoSampleError } from "../../core/no_sample_error.ts";
import type { SentError } from "./messages.ts";

/** An error as it can be sent. */
export function sendError(error: unknown): SentError {
  if (!(error instanceof PlimsollError)) {
    const message = error instanceof Error ? error.stack ?? error.message : String(error);
    return { kind: "defect", message };
  }
  // Causes may be of classes that don't travel.
  const { cause: _, ...parts } = error.parts;
  return { kind: error.kind, parts, isNoSample: error instanceof NoSampleError };
}

/** The error that was sent. */
export function receiveError(error: SentError): Error {
  return error.kind === "defect"
    ? new Error(`In a worker: ${error.message}`)
    : new PlimsollError(error.kind, error.parts);
}
