/**
 * Bins and sums of channels as version 3 of the statistics file has them: a bin is four LEB128 integers, the distance of
 * its number from the bin before (the first: its number), n, Σr and Σr²; a sum is 16 bytes, little-endian, two's
 * complement.
 *
 * @module
 */
import { BIN_COUNT, type HistogramData } from "../../wasm/mod.ts";
import { checkSums } from "./pack_bins.ts";
import { VarintReader } from "./varint.ts";

/** Bytes of a sum of channels. */
const SUM_BYTES = 16;

/**
 * Reads the bins of a histogram.
 *
 * @param size Number of bins.
 * @throws {RangeError} For bins that no histogram has.
 */
export function readBins(
  bytes: Uint8Array,
  size: number,
): Pick<HistogramData, "bins" | "n" | "r1" | "r2"> {
  const body = new VarintReader(bytes);
  const result = {
    bins: new Uint32Array(size),
    n: new Float64Array(size),
    r1: new BigUint64Array(size),
    r2: new BigUint64Array(size),
  };
  let bin = 0;
  for (let i = 0; i < size; i++) {
    const step = body.readNumber();
    bin += step;
    if (bin >= BIN_COUNT || i > 0 && step === 0) throw new RangeError(`bin ${bin}`);
    const n = body.readNumber();
    const r1 = body.readBigint();
    const r2 = body.readBigint();
    checkSums(n, r1, r2);
    result.bins[i] = bin;
    result.n[i] = n;
    result.r1[i] = r1;
    result.r2[i] = r2;
  }
  if (!body.isDone) throw new RangeError("bytes after the last bin of a tensor");
  return result;
}

/**
 * Reads a list of sums.
 *
 * @param bytes From its beginning on.
 * @param count Number of sums.
 * @returns The sums, and how many bytes they took.
 * @throws {RangeError} Where the bytes end before them.
 */
export function readSums(bytes: Uint8Array, count: number): { sums: bigint[]; size: number } {
  const size = count * SUM_BYTES;
  if (size > bytes.length) throw new RangeError("sums that end behind the file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  const sums = Array.from(
    { length: count },
    (_, i) =>
      (view.getBigInt64(i * SUM_BYTES + 8, true) << 64n) + view.getBigUint64(i * SUM_BYTES, true),
  );
  return { sums, size };
}
