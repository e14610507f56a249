/**
 * Reads exact numbers of bytes from a stream of chunks of any size.
 *
 * @module
 */

/**
 * Takes a byte stream apart. Reads on demand only: nothing is pulled from the stream before it is
 * asked for. The owner must read to the end or call {@linkcode ByteReader.cancel}.
 */
export class ByteReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  /** Bytes of the last chunk that were not handed out yet. */
  #rest: Uint8Array = new Uint8Array(0);

  /** Locks `stream`. */
  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** The next `count` bytes as a copy; fewer only at the end of the stream. */
  async read(count: number): Promise<Uint8Array<ArrayBuffer>> {
    const result = new Uint8Array(count);
    let filled = 0;
    while (filled < count && await this.#fill()) {
      const part = this.#rest.subarray(0, count - filled);
      result.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return result.subarray(0, filled);
  }

  /** Passes over `count` bytes without a copy; returns how many there were. */
  async skip(count: number): Promise<number> {
    let left = count;
    while (left > 0 && await this.#fill()) {
      const length = Math.min(left, this.#rest.length);
      this.#rest = this.#rest.subarray(length);
      left -= length;
    }
    return count - left;
  }

  /** What is left of the last chunk, or the next one; undefined at the end. Not a copy. */
  async readSome(): Promise<Uint8Array | undefined> {
    if (!await this.#fill()) return undefined;
    const some = this.#rest;
    this.#rest = some.subarray(some.length);
    return some;
  }

  /** Puts back what was read last, before all else. */
  unread(bytes: Uint8Array): void {
    if (this.#rest.length === 0) this.#rest = bytes;
    else {
      const joined = new Uint8Array(bytes.length + this.#rest.length);
      joined.set(bytes);
      joined.set(this.#rest, bytes.length);
      this.#rest = joined;
    }
  }

  /** Tells the stream that nothing more is wanted. */
  cancel(reason?: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }

  /** Whether there is at least a byte; pulls when needed. */
  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return false;
      this.#rest = value;
    }
    return true;
  }
}
