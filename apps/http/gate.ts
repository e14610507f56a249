/**
 * Lets so many in at once, lets some wait, turns the others away.
 *
 * Whoever is in or waits gives a sign of life every second, because in workerd a request whose client has gone just
 * stops: no code of it runs any more, and its place would be taken for ever. There the sign has another use, too: a
 * request that waits for another's doings and for nothing of its own is taken for hung.
 *
 * @module
 */
import type { Limits } from "./limits.ts";
import { Problem } from "./problem.ts";

/** Seconds after which a client that was turned away may try again. */
const RETRY_SECONDS = 10;
/** Milliseconds between two signs of life, and without one until a place is free again. */
const BEAT_MS = 1000;
const DEAD_MS = 10_000;

/** A place that was given; to be given back once. */
export type Release = () => void;

/** Somebody in or in front of the gate. */
interface Guest {
  /** When it last gave a sign of life. */
  seen: number;
  /** Tells it that it is in; nothing while it is. */
  admit?: () => void;
}

/** Counts who is in. */
export class Gate {
  readonly #limits: Pick<Limits, "maxActive" | "maxWaiting">;
  readonly #active = new Set<Guest>();
  readonly #waiting = new Set<Guest>();
  readonly #onIdle: (() => void)[] = [];

  /** Nobody is in. */
  constructor(limits: Pick<Limits, "maxActive" | "maxWaiting">) {
    this.#limits = limits;
  }

  /** How many are in. */
  get active(): number {
    return this.#active.size;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether the next one would be turned away. */
  get isFull(): boolean {
    this.#sweep();
    const { maxActive, maxWaiting } = this.#limits;
    return this.active >= maxActive && this.waiting >= maxWaiting;
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
    if (this.isFull) {
      throw new Problem(
        "busy",
        `${maxActive} requests are at work and ${maxWaiting} wait. Try again later.`,
        { "retry-after": String(RETRY_SECONDS) },
      );
    }
    const guest: Guest = { seen: Date.now() };
    const beat = setInterval(() => {
      const now = Date.now();
      // Where something computed for long, nobody could give a sign.
      const couldLook = now - guest.seen < 2 * BEAT_MS;
      guest.seen = now;
      if (couldLook) this.#sweep();
    }, BEAT_MS);
    const leave = () => {
      clearInterval(beat);
      this.#leave(guest);
    };
    if (this.active < maxActive) this.#active.add(guest);
    else await this.#wait(guest, signal).catch((error) => (leave(), Promise.reject(error)));
    return leave;
  }

  /** Resolves when nobody is in. */
  idle(): Promise<void> {
    if (this.active === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  #wait(guest: Guest, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => reject(signal.reason);
      guest.admit = () => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.add(guest);
    });
  }

  /** Takes somebody out, once, and lets others in. */
  #leave(guest: Guest): void {
    this.#waiting.delete(guest);
    if (!this.#active.delete(guest)) return;
    for (const next of this.#waiting) {
      if (this.active >= this.#limits.maxActive) break;
      this.#waiting.delete(next);
      this.#active.add(next);
      next.admit?.();
    }
    if (this.active === 0) this.#onIdle.splice(0).forEach((tell) => tell());
  }

  /** Takes out those that gave no sign of life. */
  #sweep(): void {
    const now = Date.now();
    for (const guest of [...this.#waiting, ...this.#active]) {
      if (now - guest.seen > DEAD_MS) this.#leave(guest);
    }
  }
}
