/**
 * Which labelled samples a model got right, a bit a sample: what pairs of models are compared by.
 *
 * @module
 */
import type { PairedCounts } from "./paired.ts";

/** Bytes of a new list. */
const FIRST_BYTES = 64;

/** Bits in the order of the samples; 50,000 samples take 6 kB. */
export class HitList {
  #bits = new Uint8Array(FIRST_BYTES);
  #length = 0;

  /** Adds a sample. */
  push(isHit: boolean): void {
    const byte = this.#length >> 3;
    if (byte === this.#bits.length) {
      const wider = new Uint8Array(2 * this.#bits.length);
      wider.set(this.#bits);
      this.#bits = wider;
    }
    if (isHit) this.#bits[byte] |= 1 << (this.#length & 7);
    this.#length++;
  }

  /** Samples so far. */
  get length(): number {
    return this.#length;
  }

  /** How often `other`, which saw the same samples, differs from this one. */
  compare(other: HitList): PairedCounts {
    if (other.#length !== this.#length) {
      throw new RangeError(
        `Cannot compare hits: lists must have the same samples, got ${this.#length} and ${other.#length}`,
      );
    }
    let [gained, lost] = [0, 0];
    for (let i = 0; i < (this.#length + 7) >> 3; i++) {
      gained += ones(other.#bits[i] & ~this.#bits[i]);
      lost += ones(this.#bits[i] & ~other.#bits[i]);
    }
    return { total: this.#length, gained, lost };
  }
}

/** Ones in a byte. */
function ones(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
  return count;
}
