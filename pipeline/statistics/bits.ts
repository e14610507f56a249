/**
 * Integers of any width, one behind the other without gaps, high bits first; the last byte is filled up with zeros.
 *
 * @module
 */

/** Widest piece that is moved at once: with up to 7 bits left over it fits 31 bits. */
const PIECE = 24;
const PIECE_VALUES = 2 ** PIECE;

/** A growing buffer of bits. */
export class BitWriter {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;
  #rest = 0;
  #restWidth = 0;

  /** Appends the lowest `width` bits of an integer of 0 … 2^53 − 1. */
  write(value: number, width: number): void {
    if (width > PIECE) {
      this.write(Math.floor(value / PIECE_VALUES), width - PIECE);
      return this.write(value % PIECE_VALUES, PIECE);
    }
    this.#rest = this.#rest << width | value;
    this.#restWidth += width;
    while (this.#restWidth >= 8) {
      this.#restWidth -= 8;
      this.#append(this.#rest >>> this.#restWidth);
    }
    this.#rest &= (1 << this.#restWidth) - 1;
  }

  /** Appends the lowest `width` bits of an integer, in two's complement. */
  writeBigint(value: bigint, width: number): void {
    for (let left = width; left > 0;) {
      const piece = Math.min(left, PIECE);
      left -= piece;
      this.write(Number(BigInt.asUintN(piece, value >> BigInt(left))), piece);
    }
  }

  /** What was written. */
  bytes(): Uint8Array<ArrayBuffer> {
    this.write(0, (8 - this.#restWidth) % 8);
    return this.#bytes.slice(0, this.#length);
  }

  #append(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length++] = byte;
  }
}

/** Reads what {@linkcode BitWriter} wrote; throws RangeError behind the end. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #position = 0;
  #rest = 0;
  #restWidth = 0;

  /** Reads from the beginning of `bytes`. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The next `width` bits, up to 53. */
  read(width: number): number {
    if (width > PIECE) return this.read(width - PIECE) * PIECE_VALUES + this.read(PIECE);
    while (this.#restWidth < width) {
      if (this.#position === this.#bytes.length) throw new RangeError("data end inside an integer");
      this.#rest = this.#rest << 8 | this.#bytes[this.#position++];
      this.#restWidth += 8;
    }
    this.#restWidth -= width;
    const value = this.#rest >>> this.#restWidth;
    this.#rest &= (1 << this.#restWidth) - 1;
    return value;
  }

  /** The next `width` bits as an integer of 0 … 2^width − 1. */
  readBigint(width: number): bigint {
    let value = 0n;
    for (let left = width; left > 0;) {
      const piece = Math.min(left, PIECE);
      left -= piece;
      value = value << BigInt(piece) | BigInt(this.read(piece));
    }
    return value;
  }

  /** Checks that nothing is left but the zeros that fill the last byte. */
  end(): void {
    if (this.#position !== this.#bytes.length || this.#rest !== 0) {
      throw new RangeError("data behind the last integer");
    }
  }
}
