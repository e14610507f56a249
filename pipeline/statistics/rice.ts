/**
 * Adaptive Rice codes: an integer u as its quotient by 2^k in ones with a zero behind them, then its lower k bits. Each
 * column of a table has a coder, which learns k from the integers before. Integers only, so that every host writes the
 * same bits.
 *
 * @module
 */
import type { BitReader, BitWriter } from "./bits.ts";

/** Quotients from here on are written as the bit length of u and its bits below the first one. */
const MAX_QUOTIENT = 24;
const LENGTH_BITS = 7;
/** Above it a quotient of an integer that a float64 can't hold is at least 32. */
const MAX_K = 48;
/** Bits of the largest integer; sums of a bin have 64, and what is expected of 2^53 elements 82. */
const MAX_LENGTH = 83;
/** The mean is kept times this, over about as many integers. */
const MEMORY = 16;
const MAX_SCALED = 2 ** 44;
/** Looked up, since `**` is slow. */
const POWERS = Float64Array.from({ length: MAX_K + 1 }, (_, i) => 2 ** i);

/** One column of a table, written or read. */
export class RiceColumn {
  #sum: number;

  /** @param mean What integers without a scale are expected to be on average. */
  constructor(mean: number) {
    this.#sum = MEMORY * mean;
  }

  /** Appends an integer from 0, as a bigint from 2^53 on; its lowest `scale` bits are known to be noise. */
  write(out: BitWriter, value: number | bigint, scale: number): void {
    const k = this.#k(scale);
    const quotient = typeof value === "number" ? Math.floor(value / POWERS[k]) : MAX_QUOTIENT;
    if (quotient < MAX_QUOTIENT) {
      out.write((2 << quotient) - 2, quotient + 1);
      out.write(Number(value) - quotient * POWERS[k], k);
    } else {
      const exact = BigInt(value);
      const length = exact.toString(2).length;
      out.write(2 ** MAX_QUOTIENT - 1, MAX_QUOTIENT);
      out.write(length, LENGTH_BITS);
      out.writeBigint(exact, length - 1);
    }
    this.#learn(value, scale);
  }

  /** Reads what {@linkcode write} wrote with the same `scale`; throws RangeError for another spelling. */
  read(from: BitReader, scale: number): number | bigint {
    const k = this.#k(scale);
    let quotient = 0;
    while (quotient < MAX_QUOTIENT && from.read(1) === 1) quotient++;
    let value: number | bigint = quotient * POWERS[k];
    if (quotient < MAX_QUOTIENT) value += from.read(k);
    else {
      const length = from.read(LENGTH_BITS);
      if (length === 0 || length > MAX_LENGTH) throw new RangeError(`an integer of ${length} bits`);
      const exact = 1n << BigInt(length - 1) | from.readBigint(length - 1);
      if (exact < BigInt(value)) throw new RangeError("an integer not in its shortest form");
      value = plain(exact);
    }
    this.#learn(value, scale);
    return value;
  }

  #k(scale: number): number {
    // 11/16 is close to ln 2: the power of two below that share of the mean is best for a geometric distribution.
    const share = Math.floor(this.#sum * 11 / (16 * MEMORY));
    return Math.min(MAX_K, scale + Math.max(0, bitLength(share) - 1));
  }

  #learn(value: number | bigint, scale: number): void {
    const scaled = typeof value === "number"
      ? Math.floor(value / POWERS[scale])
      : Number(value >> BigInt(scale));
    this.#sum += Math.min(MAX_SCALED, scaled) - Math.floor(this.#sum / MEMORY);
  }
}

/** An integer as a number where one holds it exactly. */
export function plain(value: bigint): number | bigint {
  return value <= Number.MAX_SAFE_INTEGER && value >= -Number.MAX_SAFE_INTEGER
    ? Number(value)
    : value;
}

/** Bits of an integer of 0 … 2^53 − 1. */
export function bitLength(value: number): number {
  const high = Math.floor(value / 2 ** 32);
  return high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(value);
}

const MAX_HALF = 2 ** 52 - 1;

/** Integers of both signs as natural numbers: 0, −1, 1, −2, 2 … */
export function fold(value: number | bigint): number | bigint {
  if (typeof value === "number" && Math.abs(value) <= MAX_HALF) {
    return value < 0 ? -2 * value - 1 : 2 * value;
  }
  const exact = BigInt(value);
  return exact < 0n ? -2n * exact - 1n : 2n * exact;
}

/** The inverse of {@linkcode fold}. */
export function unfold(value: number | bigint): number | bigint {
  if (typeof value === "bigint") return plain(value & 1n ? -(value + 1n) / 2n : value / 2n);
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}
