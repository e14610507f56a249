/**
 * Failures of the place where a worker is.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";

/** A failure of the place where a worker is, not of the shard: a worker elsewhere may do better. */
export class PlaceError extends PlimsollError {}

/** Does something that depends on where this worker is. */
export async function atPlace<T>(action: () => Promise<T>, remark = ""): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof PlimsollError)) throw error;
    const { kind, parts: { found, ...parts } } = error;
    throw new PlaceError(kind, { ...parts, found: found + remark });
  }
}
