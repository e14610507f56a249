/**
 * Unsigned integers of variable length (LEB128): seven bits a byte, low ones first, the top bit says
 * that more follow. As in protobuf and WebAssembly.
 *
 * @module
 */

/** Longest encoding: ten bytes hold 64 bits. */
const MAX_BYTES = 10;

/** Reads them one by one; throws RangeError at the end or on an overlong one. */
export class VarintReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  /** Reads from the beginning of `bytes`. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether everything was read. */
  get isDone(): boolean {
    return this.#position === this.#bytes.length;
  }

  /** Next integer; throws RangeError above 2^53 − 1. */
  readNumber(): number {
    const value = this.readBigint();
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError("integer too large");
    return Number(value);
  }

  /** Next integer of up to 64 bits, in its shortest form only. */
  readBigint(): bigint {
    // Up to six bytes (42 bits) in plain numbers: nearly all, and much faster.
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 6; i++) {
      const byte = this.#next();
      value += (byte & 127) * factor;
      if (byte < 128) return BigInt(this.#checked(value, byte, i));
      factor *= 128;
    }
    let large = BigInt(value);
    for (let i = 6; i < MAX_BYTES; i++) {
      const byte = this.#next();
      large += BigInt(byte & 127) << BigInt(7 * i);
      if (byte < 128) {
        if (large >= 1n << 64n) break;
        this.#checked(0, byte, i);
        return large;
      }
    }
    throw new RangeError("integer of more than 64 bits");
  }

  #next(): number {
    if (this.isDone) throw new RangeError("data end inside an integer");
    return this.#bytes[this.#position++];
  }

  /** A last byte of zero is a longer spelling of a smaller number: one value, one spelling. */
  #checked(value: number, lastByte: number, index: number): number {
    if (lastByte === 0 && index > 0) throw new RangeError("integer not in its shortest form");
    return value;
  }
}
