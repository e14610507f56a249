/**
 * Bytes as the standard has them.
 *
 * @module
 */

/**
 * The same bytes without the ways of a subclass: `slice()` of Node's Buffer is a view and no copy, so what relies on
 * the copy to be aligned would fail.
 */
export function plainBytes<T extends ArrayBufferLike>(bytes: Uint8Array<T>): Uint8Array<T> {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
