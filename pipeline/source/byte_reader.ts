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
  async read(count: number): Promise<Uint8Array> {
    const result = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#reader.read();
        if (done) return result.subarray(0, filled);
        this.#rest = value;
      }
      const part = this.#rest.subarray(0, count - filled);
      result.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return result;
  }

  /** Tells the stream that nothing more is wanted. */
  cancel(reason?: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }
}
