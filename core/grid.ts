/**
 * From a threshold to an integer grid.
 *
 * @module
 */
import type { ActivationStorage, Constraint, Grid, WeightStorage } from "./types.ts";

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
 * Least step of a grid: the least normal float32. Runtimes that flush subnormal numbers divide by 0 where a scale is
 * one.
 */
export const LEAST_STEP = 2 ** -126;

/** The largest float32. */
export const MAX_FLOAT = 3.4028234663852886e38;

/** A step as a float32 that may be a scale. */
export function gridStep(step: number): number {
  return Math.max(LEAST_STEP, Math.fround(step));
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
  return { step: gridStep(threshold / levels), low: signed ? -levels : 0, high: levels - 1 };
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
  const step = gridStep((b - a) / codes);
  const low = Math.max(-codes, roundHalfEven(a / step)) + 0;
  return { step, low, high: low + codes };
}

/** The least power of two that is at least x > 0. */
export function powerOfTwoAtLeast(x: number): number {
  const power = 2 ** Math.ceil(Math.log2(x));
  // log2 may be off by a rounding error next to a power of two.
  return power / 2 >= x ? power / 2 : power < x ? power * 2 : power;
}

/** Smallest and largest code of each storage type. */
export const STORED_CODES: Readonly<
  Record<ActivationStorage | WeightStorage, readonly [number, number]>
> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  uint4: [0, 15],
  int4: [-8, 7],
};

/**
 * How levels are stored. The zero point of a signed symmetric grid is the middle of the type (128 of uint8, 0 of
 * int8: the same real numbers), that of any other grid puts its lowest level on the smallest code.
 */
export function storeLevels(
  { step, low, high }: Levels,
  storage: ActivationStorage,
): Grid {
  const [min, max] = STORED_CODES[storage];
  const isSigned = low + high === -1;
  const zeroPoint = isSigned ? (min + max + 1) / 2 : min - low + 0;
  return { scale: step, zeroPoint, quantizedMin: zeroPoint + low, quantizedMax: zeroPoint + high };
}

/**
 * First and last code of a weight as stored. A symmetric grid leaves out the first code, so that it has as many
 * levels below zero as above. Codes of fewer bits than the type lie around its middle.
 *
 * @param bits 2 to 8, at most those of the type.
 */
export function weightCodes(
  constraint: Constraint,
  bits: number,
  storage: WeightStorage,
): { readonly min: number; readonly max: number } {
  const [least, most] = STORED_CODES[storage];
  const middle = (least + most + 1) / 2;
  const max = 2 ** (bits - 1) - 1;
  return { min: middle - (constraint === "symmetric" ? max : max + 1), max: middle + max };
}

/** The type that holds codes of so many bits: the given one, or that of 16 bits with the same sign. */
export function storageFor(bits: number, storage: ActivationStorage): ActivationStorage {
  if (bits <= 8) return storage;
  return storage === "uint8" || storage === "uint16" ? "uint16" : "int16";
}

/** Code of a real value: round half to even, saturated to the grid. ONNX QuantizeLinear's rule. */
export function quantizeValue(x: number, grid: Grid): number {
  const code = roundHalfEven(x / grid.scale) + grid.zeroPoint;
  return Math.min(Math.max(code, grid.quantizedMin), grid.quantizedMax);
}

/** Adding and taking away 1.5·2^52 rounds a float64 below 2^51 to the nearest integer, ties to even. */
export const ROUND = 1.5 * 2 ** 52;

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
