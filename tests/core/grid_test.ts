import assert from "node:assert/strict";
import {
  clampGrid,
  quantizeValue,
  roundHalfEven,
  storeLevels,
  symmetricLevels,
  uniformLevels,
} from "../../core/grid.ts";
import type { Grid } from "../../core/types.ts";

/** Real value of a code. */
const dequantizeValue = (code: number, { scale, zeroPoint }: Grid) => (code - zeroPoint) * scale;

Deno.test("roundHalfEven() takes ties to the even neighbour", () => {
  const pairs = [[0.5, 0], [1.5, 2], [2.5, 2], [-0.5, 0], [-1.5, -2], [2.4999, 2], [-2.6, -3], [
    Infinity,
    Infinity,
  ]];
  for (const [x, expected] of pairs) assert.equal(roundHalfEven(x) + 0, expected, `${x}`);
});

Deno.test("symmetricLevels() has MCT's values (test_activation_quantization_functions.py)", () => {
  const quantize = (signed: boolean) => {
    const grid = storeLevels(symmetricLevels(2, 2, signed), "uint8");
    return [-2.1, -1.1, 0, 1, 1.1].map((x) => dequantizeValue(quantizeValue(x, grid), grid) + 0);
  };
  assert.deepEqual(quantize(true), [-2, -1, 0, 1, 1]);
  assert.deepEqual(quantize(false), [0, 0, 0, 1, 1]);
});

Deno.test("clampGrid() on codes is the clamp on values, for every grid and bound", () => {
  for (const signed of [false, true]) {
    for (const bits of [2, 5, 8]) {
      const grid = storeLevels(symmetricLevels(8, bits, signed), "uint8");
      for (
        const [low, high] of [[0, 6], [-1, 1], [0, null], [null, 3.3], [0.05, 5.77]] as [
          number | null,
          number | null,
        ][]
      ) {
        const clamped = clampGrid(grid, { low, high });
        for (let x = -9; x <= 9; x += 0.0625) {
          const value = Math.min(Math.max(x, low ?? -Infinity), high ?? Infinity);
          assert.equal(
            quantizeValue(x, clamped),
            quantizeValue(value, grid),
            `${x} in [${low}, ${high}]`,
          );
        }
      }
    }
  }
});

Deno.test("uniformLevels() has MCT's values and zero on the grid (fix_range)", () => {
  const values = (min: number, max: number, bits: number) => {
    const grid = storeLevels(uniformLevels(min, max, bits), "uint8");
    return [-2.1, -1.1, 0, 1, 1.1].map((x) => dequantizeValue(quantizeValue(x, grid), grid) + 0);
  };
  assert.deepEqual(values(-2, 1, 2), [-2, -1, 0, 1, 1]);
  assert.deepEqual(values(1, 3, 2), [0, 0, 0, 1, 1]);
  assert.deepEqual(values(-3, -1, 2), [-2, -1, 0, 0, 0]);
  const { step, low, high } = uniformLevels(-1.5, 1.3333, 8);
  assert.ok(
    Math.abs(low * step - -1.4999823529411764) < 1e-6 &&
      Math.abs(high * step - 1.3333176470588235) < 1e-6,
  );
  for (const bits of [2, 4, 8, 12, 16]) {
    for (const [min, max] of [[-1e-9, 5], [-7, 0.1], [0, 3], [-2, 0], [-1, 1]]) {
      const levels = uniformLevels(min, max, bits);
      assert.equal(levels.high - levels.low, 2 ** bits - 1);
      assert.ok(levels.low <= 0 && levels.high >= 0);
      const grid = storeLevels(levels, bits <= 8 ? "uint8" : "uint16");
      assert.equal(quantizeValue(0, grid), grid.zeroPoint);
    }
  }
});
