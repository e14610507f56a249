/**
 * Looking at running work now and then, without holding it up.
 *
 * @module
 */

/** How often may be looked. */
export interface PaceOptions {
  /** Milliseconds from one look to the next, at least. */
  readonly pause: number;
  /** A look of t milliseconds is followed by t / share without one, at least. */
  readonly share: number;
  /** Milliseconds of a clock; for tests. */
  readonly now?: () => number;
}

/** Says when to look, by how long looks take. */
export class Pace {
  readonly #options: Required<PaceOptions>;
  #next: number;

  /** The first look is due after `delay` milliseconds. */
  constructor({ pause, share, now = () => performance.now() }: PaceOptions, delay: number) {
    this.#options = { pause, share, now };
    this.#next = now() + delay;
  }

  /** Looks if it is time; says whether it did. */
  look(act: () => void): boolean {
    const { pause, share, now } = this.#options;
    const start = now();
    if (start < this.#next) return false;
    act();
    const end = now();
    this.#next = end + Math.max(pause, (end - start) / share);
    return true;
  }
}
