/**
 * A histogram prepared for exact sums.
 *
 * The magnitude of an element is ulp · (2^15·k + r), with k the place of its bin in the octave and r its own
 * place in the bin. Sums of n, k·n and Σr over a few hundred bins, and products of them with a level or
 * with k, are integers below 2^53 as long as n < 2^24 and Σr < 2^36: float64 has them exactly. Larger counts
 * are cut into two digits first, a low and a high {@linkcode Plane}. Big integers, a hundred times slower, only
 * join the results of whole octaves.
 *
 * @module
 */
import {
  BIN_WIDTH_ULPS,
  binBase,
  BINS_PER_OCTAVE,
  binSign,
  binUlpExponent,
  type HistogramData,
} from "../../wasm/mod.ts";
import { addDyadic, type Dyadic, ZERO } from "./dyadic.ts";

/** Bits of the low digit of a count: 18 octaves of 256 bins, times the square of a level of 8 bits, have 53. */
export const COUNT_BITS = 24;
/** Bits of the low digit of Σr. */
const REST_BITS = 36;
/** log2 of {@linkcode BIN_WIDTH_ULPS}. */
const PLACE_BITS = 15;

/**
 * One digit of the sums of an octave, as prefix sums: entry i is over the first i of its 256 bins, the
 * empty ones included.
 */
export interface Plane {
  /** A count stands for 2^countWeight elements. */
  readonly countWeight: number;
  /** A rest stands for 2^restWeight ulps. */
  readonly restWeight: number;
  /** Σn. */
  readonly count: Float64Array;
  /** Σk·n. */
  readonly places: Float64Array;
  /** Σr. */
  readonly rests: Float64Array;
}

/** The bins of one octave and sign; the subnormals are one octave, too. */
export interface Octave {
  /** 1 or −1. */
  readonly sign: 1 | -1;
  /** ulp = 2^ulpExponent. */
  readonly ulpExponent: number;
  /** k of the first bin: 256, or 0 for the subnormals. */
  readonly first: number;
  /** The low digits, and the high ones where there are any. */
  readonly planes: readonly Plane[];
  /** Elements in this octave and those of greater magnitude of the same sign. */
  readonly countFromHere: bigint;
  /** Σ|x| over the same elements. */
  readonly sumFromHere: Dyadic;
}

/** A histogram as octaves with prefix sums. */
export interface ExactHistogram {
  /** By sign; positive ones first, in each ascending magnitudes. */
  readonly octaves: readonly Octave[];
  /** Σx, exact. */
  readonly sum: Dyadic;
  /** Σ|x|, exact. */
  readonly magnitudes: Dyadic;
  /** Σx², exact. */
  readonly squares: Dyadic;
}

/** Prepares a histogram; some 0.1 ms for 5,000 bins. */
export function exactHistogram(data: HistogramData): ExactHistogram {
  const octaves: Octave[] = [];
  let [sum, magnitudes, squares] = [ZERO, ZERO, ZERO];
  let fromHere = { sign: 0, count: 0n, sum: ZERO };
  // From the greatest magnitude of each sign down, for the sums from here on.
  for (let end = data.bins.length; end > 0;) {
    const octave = data.bins[end - 1] >>> 8;
    let start = end - 1;
    while (start > 0 && data.bins[start - 1] >>> 8 === octave) start--;
    const sign = binSign(data.bins[start]);
    const made = makeOctave(data, start, end);
    if (sign !== fromHere.sign) fromHere = { sign, count: 0n, sum: ZERO };
    fromHere = {
      sign,
      count: fromHere.count + made.count,
      sum: addDyadic(fromHere.sum, made.sum),
    };
    octaves.push({
      sign,
      ulpExponent: made.ulpExponent,
      first: made.first,
      planes: made.planes,
      countFromHere: fromHere.count,
      sumFromHere: fromHere.sum,
    });
    magnitudes = addDyadic(magnitudes, made.sum);
    sum = addDyadic(sum, { ...made.sum, value: BigInt(sign) * made.sum.value });
    squares = addDyadic(squares, made.squares);
    end = start;
  }
  return { octaves: octaves.reverse(), sum, magnitudes, squares };
}

/** Σ|x| in ulps, from sums of one plane. */
export function joinUlps(
  { countWeight, restWeight }: Plane,
  places: number,
  rests: number,
): bigint {
  return (BigInt(places) << BigInt(PLACE_BITS + countWeight)) +
    (BigInt(rests) << BigInt(restWeight));
}

/** Bins [start, end) of a histogram, all of one octave. */
function makeOctave(data: HistogramData, start: number, end: number) {
  const ulpExponent = binUlpExponent(data.bins[start]);
  const first = binBase((data.bins[start] >>> 8) << 8) / BIN_WIDTH_ULPS;
  const low = makePlane(0, 0);
  let high: Plane | undefined;
  const r1 = halves(data.r1);
  const r2 = halves(data.r2);
  // Σ|x|² = ulp²·Σ(2^30·k²·n + 2^16·k·Σr + Σr²), digit by digit; each sum stays below 2^53.
  const sums = {
    lowSquares: 0,
    highSquares: 0,
    lowProducts: 0,
    highProducts: 0,
    lowR2: 0,
    highR2: 0,
  };
  for (let i = start; i < end; i++) {
    const place = data.bins[i] & (BINS_PER_OCTAVE - 1);
    const k = first + place;
    const n = data.n[i];
    const highN = n < 2 ** COUNT_BITS ? 0 : Math.floor(n / 2 ** COUNT_BITS);
    const lowN = n - highN * 2 ** COUNT_BITS;
    const highR = r1[2 * i + 1] >>> (REST_BITS - 32);
    const lowR = (r1[2 * i + 1] & (2 ** (REST_BITS - 32) - 1)) * 2 ** 32 + r1[2 * i];
    low.count[place + 1] = lowN;
    low.places[place + 1] = k * lowN;
    low.rests[place + 1] = lowR;
    sums.lowSquares += k * k * lowN;
    sums.lowProducts += k * lowR;
    sums.lowR2 += r2[2 * i];
    sums.highR2 += r2[2 * i + 1];
    if (highN === 0 && highR === 0) continue;
    high ??= makePlane(COUNT_BITS, REST_BITS);
    high.count[place + 1] = highN;
    high.places[place + 1] = k * highN;
    high.rests[place + 1] = highR;
    sums.highSquares += k * k * highN;
    sums.highProducts += k * highR;
  }
  const planes = high === undefined ? [low] : [low, high];
  for (const { count, places, rests } of planes) {
    for (let i = 1; i <= BINS_PER_OCTAVE; i++) {
      count[i] += count[i - 1];
      places[i] += places[i - 1];
      rests[i] += rests[i - 1];
    }
  }
  const join = (lowDigit: number, highDigit: number, bits: number) =>
    BigInt(lowDigit) + (BigInt(highDigit) << BigInt(bits));
  const squares = (join(sums.lowSquares, sums.highSquares, COUNT_BITS) << BigInt(2 * PLACE_BITS)) +
    (join(sums.lowProducts, sums.highProducts, REST_BITS) << BigInt(PLACE_BITS + 1)) +
    join(sums.lowR2, sums.highR2, 32);
  let [count, sum] = [0n, 0n];
  for (const plane of planes) {
    count += BigInt(plane.count[BINS_PER_OCTAVE]) << BigInt(plane.countWeight);
    sum += joinUlps(plane, plane.places[BINS_PER_OCTAVE], plane.rests[BINS_PER_OCTAVE]);
  }
  return {
    ulpExponent,
    first,
    planes,
    count,
    sum: { value: sum, exponent: ulpExponent },
    squares: { value: squares, exponent: 2 * ulpExponent },
  };
}

function makePlane(countWeight: number, restWeight: number): Plane {
  const size = BINS_PER_OCTAVE + 1;
  return {
    countWeight,
    restWeight,
    count: new Float64Array(size),
    places: new Float64Array(size),
    rests: new Float64Array(size),
  };
}

/** 64-bit integers as pairs of 32 bits, the low ones first: big integers are slow to convert one by one. */
export function halves({ buffer, byteOffset, length }: BigUint64Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, 2 * length);
}
