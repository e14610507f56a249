/**
 * A histogram prepared for exact sums: octave by octave, in big integers.
 *
 * @module
 */
import { binBase, binSign, binUlpExponent, type HistogramData } from "../../wasm/mod.ts";
import { addDyadic, type Dyadic, ZERO } from "./dyadic.ts";

/**
 * The bins of one octave and sign. All its values are ±ulp · m with integer m in [2^23, 2^24), or
 * below 2^23 in the octave of the subnormals. Arrays run over its non-empty bins, ascending; the
 * sums are prefix sums, entry i over the first i bins (so they are one longer).
 */
export interface Octave {
  /** 1 or −1. */
  readonly sign: 1 | -1;
  /** ulp = 2^ulpExponent. */
  readonly ulpExponent: number;
  /** m of each bin's lower edge. */
  readonly base: Float64Array;
  /** Number of elements. */
  readonly count: readonly bigint[];
  /** Σm. */
  readonly sum: readonly bigint[];
  /** Σm². */
  readonly squares: readonly bigint[];
}

/** A histogram as octaves with prefix sums. */
export interface ExactHistogram {
  readonly data: HistogramData;
  readonly octaves: readonly Octave[];
  /** Σx, exact. */
  readonly sum: Dyadic;
  /** Σx², exact. */
  readonly squares: Dyadic;
}

/**
 * Prepares a histogram. With r the position in the bin, Σm = n·base + Σr and
 * Σm² = n·base² + 2·base·Σr + Σr² (design §2.1).
 */
export function exactHistogram(data: HistogramData): ExactHistogram {
  const octaves: Octave[] = [];
  for (let start = 0; start < data.bins.length;) {
    let end = start + 1;
    while (end < data.bins.length && data.bins[end] >>> 8 === data.bins[start] >>> 8) end++;
    octaves.push(makeOctave(data, start, end));
    start = end;
  }
  let sum = ZERO;
  let squares = ZERO;
  for (const octave of octaves) {
    const { sign, ulpExponent } = octave;
    sum = addDyadic(sum, { value: BigInt(sign) * octave.sum.at(-1)!, exponent: ulpExponent });
    squares = addDyadic(squares, { value: octave.squares.at(-1)!, exponent: 2 * ulpExponent });
  }
  return { data, octaves, sum, squares };
}

function makeOctave({ bins, n, r1, r2 }: HistogramData, start: number, end: number): Octave {
  const base = new Float64Array(end - start);
  const count = [0n];
  const sum = [0n];
  const squares = [0n];
  for (let i = start; i < end; i++) {
    base[i - start] = binBase(bins[i]);
    const elements = BigInt(n[i]);
    const edge = BigInt(binBase(bins[i]));
    const offset = elements * edge;
    count.push(count.at(-1)! + elements);
    sum.push(sum.at(-1)! + offset + r1[i]);
    squares.push(squares.at(-1)! + edge * (offset + 2n * r1[i]) + r2[i]);
  }
  return {
    sign: binSign(bins[start]) as 1 | -1,
    ulpExponent: binUlpExponent(bins[start]),
    base,
    count,
    sum,
    squares,
  };
}
