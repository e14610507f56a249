/**
 * From a threshold to an integer grid.
 *
 * @module
 */
import type { Grid } from "./types.ts";

/** Zero point of signed grids stored as uint8: ONNX Runtime's integer kernels want unsigned codes. */
const SIGNED_ZERO_POINT = 128;

/**
 * Grid of a power-of-two or symmetric quantizer, stored as uint8 (design: MCT's
 * `base_symmetric_inferable_quantizer.py`): step t/2^(b−1) and values −t … t−step when signed, t/2^b and
 * 0 … t−step when not.
 *
 * @param threshold t > 0, in units of the tensor.
 * @param bits b, 2 to 8.
 */
export function thresholdGrid(threshold: number, bits: number, signed: boolean): Grid {
  const levels = 2 ** bits;
  const scale = threshold / (signed ? levels / 2 : levels);
  return signed
    ? {
      scale,
      zeroPoint: SIGNED_ZERO_POINT,
      quantizedMin: SIGNED_ZERO_POINT - levels / 2,
      quantizedMax: SIGNED_ZERO_POINT + levels / 2 - 1,
    }
    : { scale, zeroPoint: 0, quantizedMin: 0, quantizedMax: levels - 1 };
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
