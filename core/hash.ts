/**
 * Hashes of files and of data sets.
 *
 * @module
 */

/** SHA-256 of some bytes, hexadecimal. */
export async function sha256(bytes: Uint8Array | string): Promise<string> {
  return toHex(await digest(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes));
}

/** SHA-256 of some bytes. */
export async function digest(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource));
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const MODULUS = 1n << 256n;

/**
 * Hash of a collection that does not depend on its order: the sum modulo 2^256 of the SHA-256 of
 * each member (Bellare and Micciancio 1997, "AdHash"). Hashes of parts add up to the hash of the
 * whole, so that shards can be merged. It tells accidental differences apart; it is not made to withstand somebody
 * who builds collisions.
 */
export class MultisetHash {
  #sum = 0n;

  /** Adds one member by its SHA-256. */
  add(hash: Uint8Array): void {
    this.#sum = (this.#sum + BigInt("0x" + toHex(hash))) % MODULUS;
  }

  /** The hash so far, 64 hexadecimal digits. */
  toString(): string {
    return this.#sum.toString(16).padStart(64, "0");
  }
}

/** Hash of the union of disjoint collections from those of {@linkcode MultisetHash}. */
export function addHashes(hashes: readonly string[]): string {
  const sum = hashes.reduce((total, hash) => (total + BigInt("0x" + hash)) % MODULUS, 0n);
  return sum.toString(16).padStart(64, "0");
}
