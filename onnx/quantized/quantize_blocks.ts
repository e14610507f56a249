/**
 * Rows of a table in blocks of few bits.
 *
 * @module
 */
import { LEAST_STEP, roundHalfEven } from "../../core/grid.ts";

/** Codes of a table, row-major, with a grid for each block. */
export interface BlockCodes {
  /** From 0 to 2^bits − 1. */
  readonly codes: Uint8Array;
  /** One a block, in the order of the blocks. */
  readonly scales: Float32Array;
  /** The codes that stand for zero. */
  readonly zeroPoints: Uint8Array;
}

/**
 * Parts of a block's range that its grid may have. What lies beyond is clipped, which pays with few codes; a search over
 * all grids would take minutes for the rows of a vocabulary.
 */
const PARTS = [1, 0.95, 0.9, 0.85, 0.8, 0.75];

/** Gives each block the affine grid of least squared error among a few, all of which hold zero. */
export function quantizeBlocks(data: Float32Array, blockSize: number, bits: number): BlockCodes {
  const most = 2 ** bits - 1;
  const count = Math.ceil(data.length / blockSize);
  const codes = new Uint8Array(data.length);
  const scales = new Float32Array(count);
  const zeroPoints = new Uint8Array(count);
  for (let block = 0; block < count; block++) {
    const [from, to] = [block * blockSize, Math.min((block + 1) * blockSize, data.length)];
    let [low, high] = [0, 0];
    for (let i = from; i < to; i++) {
      if (data[i] < low) low = data[i];
      else if (data[i] > high) high = data[i];
    }
    let best = { scale: 1, zero: 0, error: Infinity };
    for (const part of PARTS) {
      const scale = Math.fround(part * (high - low) / most);
      if (scale < LEAST_STEP) break;
      const zero = Math.min(most, Math.max(0, Math.round(-part * low / scale)));
      let error = 0;
      for (let i = from; i < to; i++) {
        error += ((codeOf(data[i], scale, zero, most) - zero) * scale - data[i]) ** 2;
      }
      if (error < best.error) best = { scale, zero, error };
    }
    scales[block] = best.scale;
    zeroPoints[block] = best.zero;
    for (let i = from; i < to; i++) codes[i] = codeOf(data[i], best.scale, best.zero, most);
  }
  return { codes, scales, zeroPoints };
}

function codeOf(x: number, scale: number, zero: number, most: number): number {
  const code = roundHalfEven(x / scale) + zero;
  return code < 0 ? 0 : code > most ? most : code;
}
