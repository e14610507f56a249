/**
 * Bins of a histogram as bits of a statistics file, a third to two fifths smaller than as whole numbers. What is left is
 * close to the entropy: within a bin lower bits are spread evenly, so that Σr and Σr² of n elements differ from what is
 * expected by about √n, and that difference is noise.
 *
 * Bins come in runs of neighbours: how many numbers are skipped, and how many bins follow the first; then each bin's n
 * as a difference from that of the bin before, Σr from n · 16383.5, and Σr² from what n and Σr let expect. r² is odd
 * where r is, so that half of the differences can't be. One element has no Σr² of its own, two have their distance.
 *
 * @module
 */
import { BIN_COUNT, type HistogramData } from "../../wasm/mod.ts";
import { BitReader, BitWriter } from "./bits.ts";
import { bitLength, fold, plain, RiceColumn, unfold } from "./rice.ts";

const MAX_R = 2 ** 15 - 1;
const MAX_SUM = 2n ** 64n;
/** Bits of half the distance of two elements. */
const HALF_DISTANCE_BITS = 14;
/** Up to these all that Σr² takes is exact in float64. */
const MAX_PLAIN_N = 2 ** 22;
const MAX_PLAIN_EXCESS = 2 ** 26;

type Bins = Pick<HistogramData, "bins" | "n" | "r1" | "r2">;

/** Coders of the columns of one histogram, with what is expected of them at first. */
function columns() {
  return {
    skipped: new RiceColumn(1),
    followers: new RiceColumn(64),
    n: new RiceColumn(2),
    r1: new RiceColumn(2 ** 14),
    r2: new RiceColumn(2 ** 26),
  };
}

/**
 * Writes bins.
 *
 * @throws {RangeError} For sums that no elements have.
 */
export function packBins({ bins, n, r1, r2 }: Bins): Uint8Array<ArrayBuffer> {
  const out = new BitWriter();
  const column = columns();
  let lastN = 1;
  for (let i = 0, next = 0, left = 0; i < bins.length; i++, left--) {
    if (left === 0) {
      for (left = 1; bins[i + left] === bins[i] + left;) left++;
      column.skipped.write(out, bins[i] - next, 0);
      column.followers.write(out, left - 1, 0);
      next = bins[i] + left;
    }
    checkSums(n[i], r1[i], r2[i]);
    column.n.write(out, foldFrom(n[i] - 1, lastN - 1), scaleOf(lastN));
    lastN = n[i];
    const excess = n[i] <= MAX_PLAIN_N
      ? Number(r1[i]) - Math.floor(n[i] * MAX_R / 2)
      : plain(r1[i] - BigInt(n[i]) * BigInt(MAX_R) / 2n);
    column.r1.write(out, fold(excess), scaleOf(n[i]));
    if (n[i] === 2) {
      out.write(Math.floor(distanceOf(r1[i], r2[i]) / 2), HALF_DISTANCE_BITS);
    } else if (n[i] > 2) {
      const half = isPlain(n[i], excess)
        ? (Number(r2[i]) - Number(r1[i])) / 2
        : (r2[i] - r1[i]) / 2n;
      const expected = expectedHalf(n[i], r1[i], excess);
      const difference = typeof half === "number"
        ? half - Number(expected)
        : plain(half - BigInt(expected));
      column.r2.write(out, fold(difference), scaleOf(n[i]));
    }
  }
  return out.bytes();
}

/**
 * Reads what {@linkcode packBins} wrote.
 *
 * @param size Number of bins.
 * @throws {RangeError} For anything that it would not have written.
 */
export function unpackBins(bytes: Uint8Array, size: number): Bins {
  const from = new BitReader(bytes);
  const column = columns();
  const bins = new Uint32Array(size);
  const n = new Float64Array(size);
  const [r1, r2] = [new BigUint64Array(size), new BigUint64Array(size)];
  let lastN = 1;
  for (let i = 0, bin = 0, left = 0; i < size; i++, bin++, left--) {
    if (left === 0) {
      const skipped = Number(column.skipped.read(from, 0));
      // A run ends where a number is skipped.
      if (i > 0 && skipped === 0) throw new RangeError(`a run of bins that ends before ${bin}`);
      bin += skipped;
      left = Number(column.followers.read(from, 0)) + 1;
      if (bin + left > BIN_COUNT || i + left > size) throw new RangeError(`${left} bins at ${bin}`);
    }
    bins[i] = bin;
    n[i] = unfoldFrom(column.n.read(from, scaleOf(lastN)), lastN - 1) + 1;
    if (!Number.isSafeInteger(n[i])) throw new RangeError(`${n[i]} elements`);
    lastN = n[i];
    const excess = unfold(column.r1.read(from, scaleOf(n[i])));
    const sum = n[i] <= MAX_PLAIN_N && typeof excess === "number"
      ? BigInt(Math.floor(n[i] * MAX_R / 2) + excess)
      : BigInt(n[i]) * BigInt(MAX_R) / 2n + BigInt(excess);
    const squares = readSquares(n[i], sum, excess);
    if (sum < 0n || sum >= MAX_SUM || squares >= MAX_SUM) {
      throw new RangeError(`sums of bin ${bin}`);
    }
    checkSums(n[i], sum, squares);
    r1[i] = sum;
    r2[i] = squares;
  }
  from.end();
  return { bins, n, r1, r2 };

  function readSquares(n: number, sum: bigint, excess: number | bigint): bigint {
    if (n === 1) return sum * sum;
    if (n === 2) {
      const distance = 2n * BigInt(from.read(HALF_DISTANCE_BITS)) + (sum & 1n);
      return (sum * sum + distance * distance) / 2n;
    }
    const difference = unfold(column.r2.read(from, scaleOf(n)));
    const expected = expectedHalf(n, sum, excess);
    if (typeof expected === "number" && typeof difference === "number") {
      const squares = 2 * (expected + difference) + Number(sum);
      if (Number.isSafeInteger(squares)) return BigInt(squares);
    }
    return 2n * (BigInt(expected) + BigInt(difference)) + sum;
  }
}

/**
 * Refuses sums that no n integers of 0 … 2^15 − 1 have: bounds, and that r² is odd where r is.
 *
 * @throws {RangeError}
 */
export function checkSums(n: number, r1: bigint, r2: bigint): void {
  let isPossible: boolean;
  if (n >= 3 && n < 2 ** 11) {
    // All below 2^53.
    const [sum, squares] = [Number(r1), Number(r2)];
    isPossible = sum <= n * MAX_R && squares <= sum * MAX_R && sum * sum <= n * squares &&
      sum % 2 === squares % 2;
  } else {
    const count = BigInt(n);
    isPossible = n > 0 && r1 <= count * BigInt(MAX_R) && r2 <= r1 * BigInt(MAX_R) &&
      r1 * r1 <= count * r2 && (r1 & 1n) === (r2 & 1n) && (n !== 1 || r1 * r1 === r2) &&
      (n !== 2 || isPair(r1, r2));
  }
  if (!isPossible) throw new RangeError(`impossible sums of ${n} elements: ${r1}, ${r2}`);
}

function isPair(r1: bigint, r2: bigint): boolean {
  const distance = distanceOf(r1, r2);
  return BigInt(distance) ** 2n === 2n * r2 - r1 * r1 && distance <= Number(r1) &&
    distance <= 2 * MAX_R - Number(r1);
}

/** Distance of the two elements of a bin. */
function distanceOf(r1: bigint, r2: bigint): number {
  return Math.round(Math.sqrt(Number(2n * r2 - r1 * r1)));
}

function isPlain(n: number, excess: number | bigint): excess is number {
  return n <= MAX_PLAIN_N && Math.abs(Number(excess)) <= MAX_PLAIN_EXCESS;
}

/**
 * (Σr² − Σr) / 2 of n elements with that Σr, spread evenly: n · 16383.5² + 2 · 16383.5 · e + e² / n from the mean, and
 * (n − 1) · (2^30 − 1) / 12 from the spread, where e is by how much Σr exceeds what is expected.
 */
function expectedHalf(n: number, r1: bigint, excess: number | bigint): number | bigint {
  if (isPlain(n, excess)) {
    const squares = Math.floor(n * 715795115 / 2) - 89478485 + MAX_R * excess +
      Math.floor(excess * excess / n);
    return Math.floor((squares - Number(r1)) / 2);
  }
  const [count, e] = [BigInt(n), BigInt(excess)];
  const squares = count * 715795115n / 2n - 89478485n + BigInt(MAX_R) * e + e * e / count;
  return (squares - r1) >> 1n;
}

/** Bits by which sums of n elements vary. */
function scaleOf(n: number): number {
  return bitLength(n - 1) >> 1;
}

/** A natural number as its difference from another one. */
function foldFrom(value: number, origin: number): number | bigint {
  const difference = value - origin;
  return difference > origin ? value : fold(difference);
}

function unfoldFrom(folded: number | bigint, origin: number): number {
  return folded > 2 * origin ? Number(folded) : origin + Number(unfold(folded));
}
