/**
 * Several sessions that are released together: as much of `AsyncDisposableStack`, which Node 20 lacks, as is needed.
 *
 * @module
 */
import type { InferenceSession } from "./runtime.ts";

/** Releases in the opposite order of coming. */
export class SessionStack {
  readonly #sessions: InferenceSession[] = [];

  /** Takes a session in, and gives it back. */
  use(session: InferenceSession): InferenceSession {
    this.#sessions.push(session);
    return session;
  }

  /** Releases all of them. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions.reverse()) await session[Symbol.asyncDispose]();
  }
}
