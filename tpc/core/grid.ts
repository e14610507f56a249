/**
 * From a threshold to an integer grid.
 *
 * @module
 */
import type { Constraint, Grid } from "./types.ts";

/** Levels k·step for integers k from `low` to `high`, both included; 0 is one of them. */
export interface Levels {
  /** d > 0, in units of the tensor; an exact float32. */
  readonly step: number;
  /** At most 0. */
  readonly low: number;
  /** At least 0, more than `low`. */
  readonly high: number;
}

/**
 * Levels of a power-of-two or symmetric quantizer (MCT, `base_symmetric_inferable_quantizer.py`):
 * step t/2^(b−1) and values −t … t−step when signed, t/2^b and 0 … t−step when not.
 *
 * @param threshold t > 0, in units of the tensor; the step is rounded to float32.
 * @param bits b, 2 to 16.
 */
export function symmetricLevels(threshold: number, bits: number, signed: boolean): Levels {
  const levels = 2 ** (signed ? bits - 1 : bits);
  return { step: Math.fround(threshold / levels), low: signed ? -levels : 0, high: levels - 1 };
}

/**
 * Levels of a uniform (affine) quantizer: the range is widened to hold zero, and zero lies on the grid:
 * step (max − min)/(2^b − 1), `low` = round(min/step).
 *
 * @param min, max Range in units of the tensor, not both zero.
 */
export function uniformLevels(min: number, max: number, bits: number): Levels {
  const [a, b] = [Math.min(min, 0), Math.max(max, 0)];
  const codes = 2 ** bits - 1;
  const step = Math.fround((b - a) / codes);
  const low = Math.max(-codes, roundHalfEven(a / step)) + 0;
  return { step, low, high: low + codes };
}

/**
 * How levels are stored: unsigned codes, since ONNX Runtime's integer kernels want uint8. The zero
 * point of a signed symmetric grid is the middle of the storage (128), that of any other grid −low.
 *
 * @param storageBits 8 or 16.
 */
export function storeLevels({ step, low, high }: Levels, storageBits: number): Grid {
  const isSigned = low + high === -1;
  const zeroPoint = isSigned ? 2 ** (storageBits - 1) : -low + 0;
  return { scale: step, zeroPoint, quantizedMin: zeroPoint + low, quantizedMax: zeroPoint + high };
}

/**
 * First and last code of a weight as stored, in the signed type of so many bits. A symmetric grid leaves out the
 * first code of the type, so that it has as many levels below zero as above.
 *
 * @param bits 2 to 8.
 */
export function weightCodes(
  constraint: Constraint,
  bits: number,
): { readonly min: number; readonly max: number } {
  const max = 2 ** (bits - 1) - 1;
  return { min: constraint === "symmetric" ? -max : -max - 1, max };
}

/** Bits of the type that holds codes of so many bits. */
export function storageBitsFor(bits: number): number {
  return bits <= 8 ? 8 : 16;
}

/** Code of a real value: round half to even, saturated to the grid. ONNX QuantizeLinear's rule. */
export function quantizeValue(x: number, grid: Grid): number {
  const code = roundHalfEven(x / grid.scale) + grid.zeroPoint;
  return Math.min(Math.max(code, grid.quantizedMin), grid.quantizedMax);
}

/** Real value of a code. */
export function dequantizeValue(code: number, grid: Grid): number {
  return (code - grid.zeroPoint) * grid.scale;
}

/** Nearest integer; a tie goes to the even one. Infinities stay. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const part = x - floor;
  if (part !== 0.5) return part < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * A grid narrowed by fused activation functions. Rounding is monotone, so quantizing and then
 * clamping the code is the same as clamping and then quantizing:
 * Q(min(max(x, low), high)) = min(max(Q(x), Q(low)), Q(high)).
 */
export function clampGrid(grid: Grid, clamp: { low: number | null; high: number | null }): Grid {
  return {
    ...grid,
    quantizedMin: clamp.low === null ? grid.quantizedMin : quantizeValue(clamp.low, grid),
    quantizedMax: clamp.high === null ? grid.quantizedMax : quantizeValue(clamp.high, grid),
  };
}
