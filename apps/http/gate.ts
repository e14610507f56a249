/**
 * Lets so many in at once, lets some wait, turns the others away.
 *
 * @module
 */
import { deferred } from "../../core/deferred.ts";
import type { Limits } from "./limits.ts";
import { Problem } from "./problem.ts";

/** Seconds after which a client that was turned away may try again. */
const RETRY_SECONDS = 10;

/** Milliseconds between two signs of life of a request that waits. */
const BEAT_MS = 1000;

/** A place that was given; to be given back once. */
export type Release = () => void;

/** Counts who is in. */
export class Gate {
  readonly #limits: Pick<Limits, "maxActive" | "maxWaiting">;
  readonly #waiting: (() => void)[] = [];
  readonly #onIdle: (() => void)[] = [];
  #active = 0;

  /** Nobody is in. */
  constructor(limits: Pick<Limits, "maxActive" | "maxWaiting">) {
    this.#limits = limits;
  }

  /** How many are in. */
  get active(): number {
    return this.#active;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether the next one would be turned away. */
  get isFull(): boolean {
    const { maxActive, maxWaiting } = this.#limits;
    return this.#active >= maxActive && this.#waiting.length >= maxWaiting;
  }

  /**
   * Waits for a place, first come, first served.
   *
   * @throws {Problem} `busy` when too many wait.
   * @throws The reason of `signal` when it aborts before there is a place.
   */
  async enter(signal: AbortSignal): Promise<Release> {
    signal.throwIfAborted();
    const { maxActive, maxWaiting } = this.#limits;
    if (this.#active < maxActive) this.#active++;
    else if (this.#waiting.length < maxWaiting) await this.#wait(signal);
    else {
      throw new Problem(
        "busy",
        `${maxActive} requests are at work and ${maxWaiting} wait. Try again later.`,
        { "retry-after": String(RETRY_SECONDS) },
      );
    }
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      const next = this.#waiting.shift();
      // The place goes to whoever waits.
      if (next !== undefined) return next();
      if (--this.#active === 0) this.#onIdle.splice(0).forEach((tell) => tell());
    };
  }

  /** Resolves when nobody is in. */
  idle(): Promise<void> {
    if (this.#active === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  /**
   * Who gives a place only resolves a promise: in workerd timers and signals belong to one request, and touching those of
   * another throws.
   */
  async #wait(signal: AbortSignal): Promise<void> {
    const place = deferred<void>();
    const leave = () => {
      const index = this.#waiting.indexOf(place.resolve);
      if (index >= 0) this.#waiting.splice(index, 1);
      place.reject(signal.reason);
    };
    // workerd ends a request that waits for another's doings and has nothing of its own to wait for.
    const beat = setInterval(() => {}, BEAT_MS);
    signal.addEventListener("abort", leave, { once: true });
    this.#waiting.push(place.resolve);
    try {
      await place.promise;
    } finally {
      clearInterval(beat);
      signal.removeEventListener("abort", leave);
    }
  }
}
