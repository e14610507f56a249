/** Choices of a case, all of them from its seed. */
import { uniform } from "../support/random.ts";

/** Numbers at which arithmetic of sizes goes wrong. */
export const ODD_NUMBERS = [
  ...[0, 1, -1, 2, 3, 7, 8, 16, 127, 128, 255, 256, 1000, 65535, 65536, 2 ** 24],
  ...[
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    2 ** 40,
    2 ** 53 - 1,
    2 ** 53,
    2 ** 53 + 2,
    2 ** 62,
    -(2 ** 63),
  ],
];
/** Numbers that aren't whole. */
export const ODD_FLOATS = [
  ...[0.5, -0, 1e-45, 1e-38, -1e-45, 1e-300, 5e-324, 3.4e38, 1e39, 1e308, NaN, Infinity, -Infinity],
];
/** Names and texts that meant something to somebody. */
export const ODD_TEXTS = [
  ...[
    "",
    "x",
    "y",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "\0",
    "\n",
    "\x1b[31m",
    "\u202e",
    "../../etc/passwd",
  ],
  ...[
    "a".repeat(5000),
    "valueOf",
    "length",
    "\ud800",
    "💥",
    "NaN",
    "-1",
    "1e999",
    "(a+)+$",
    "[",
    "*",
    "**/**",
    "%s",
    "0x10",
    "null",
  ],
];

/** Random choices. */
export class Chance {
  readonly #next: () => number;

  constructor(seed: number, index: number) {
    this.#next = uniform(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
    // Neighbouring seeds begin alike.
    this.#next();
    this.#next();
  }

  /** A whole number from 0 up to but not with `n`. */
  below(n: number): number {
    return Math.floor(this.#next() * n);
  }

  /** Whether something of this probability happens. */
  happens(probability: number): boolean {
    return this.#next() < probability;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  /** How many changes: mostly one or two, sometimes many. */
  count(): number {
    return this.happens(0.6) ? 1 : this.happens(0.7) ? 2 + this.below(2) : 1 + this.below(16);
  }
}
