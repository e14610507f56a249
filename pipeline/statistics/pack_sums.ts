/**
 * Sums of channels as bits of a statistics file: a byte that says how many lowest bits are zero in all of them, a byte
 * that says how many bits they take with their sign, then those of each in between, in two's complement.
 *
 * @module
 */
import { BitReader, BitWriter } from "./bits.ts";

/** Sums have up to 128 bits. */
const MAX_BITS = 128;
const BYTE = 8;

/** Writes the sums of one list; nothing where it has none. */
export function packSums(sums: readonly bigint[]): Uint8Array<ArrayBuffer> {
  if (sums.length === 0) return new Uint8Array(0);
  const out = new BitWriter();
  const [low, high] = boundsOf(sums);
  out.write(low, BYTE);
  out.write(high, BYTE);
  for (const sum of sums) out.writeBigint(sum >> BigInt(low), high - low);
  return out.bytes();
}

/**
 * Reads what {@linkcode packSums} wrote.
 *
 * @param bytes From its beginning on.
 * @param count Number of sums.
 * @returns The sums, and how many bytes they took.
 * @throws {RangeError} For anything that it would not have written.
 */
export function unpackSums(bytes: Uint8Array, count: number): { sums: bigint[]; size: number } {
  if (count === 0) return { sums: [], size: 0 };
  const [low, high] = bytes;
  const size = 2 + Math.ceil(count * (high - low) / BYTE);
  if (!(low <= high && high <= MAX_BITS && size <= bytes.length)) {
    throw new RangeError(`${count} sums of bits ${low} to ${high}`);
  }
  const from = new BitReader(bytes.subarray(2, size));
  const width = high - low;
  const sums = Array.from(
    { length: count },
    () => BigInt.asIntN(width, from.readBigint(width)) << BigInt(low),
  );
  from.end();
  const bounds = boundsOf(sums);
  if (bounds[0] !== low || bounds[1] !== high) throw new RangeError("sums with bits to spare");
  return { sums, size };
}

/** Lowest bit that one of them has, and bits that all of them take; 0 and 0 where all are zero. */
function boundsOf(sums: readonly bigint[]): [low: number, high: number] {
  let all = 0n;
  let longest = 0n;
  for (const sum of sums) {
    all |= sum;
    // Of a negative one what two's complement has to tell apart.
    longest |= sum < 0n ? ~sum : sum;
  }
  if (all === 0n) return [0, 0];
  const lowest = all & -all;
  return [lowest.toString(2).length - 1, longest === 0n ? 1 : longest.toString(2).length + 1];
}
