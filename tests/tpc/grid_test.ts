import assert from "node:assert/strict";
import {
  clampGrid,
  dequantizeValue,
  quantizeValue,
  roundHalfEven,
  thresholdGrid,
} from "../../tpc/core/grid.ts";

Deno.test("roundHalfEven() takes ties to the even neighbour", () => {
  const pairs = [[0.5, 0], [1.5, 2], [2.5, 2], [-0.5, 0], [-1.5, -2], [2.4999, 2], [-2.6, -3], [
    Infinity,
    Infinity,
  ]];
  for (const [x, expected] of pairs) assert.equal(roundHalfEven(x) + 0, expected, `${x}`);
});

Deno.test("thresholdGrid() has MCT's values (test_activation_quantization_functions.py)", () => {
  const quantize = (signed: boolean) => {
    const grid = thresholdGrid(2, 2, signed);
    return [-2.1, -1.1, 0, 1, 1.1].map((x) => dequantizeValue(quantizeValue(x, grid), grid) + 0);
  };
  assert.deepEqual(quantize(true), [-2, -1, 0, 1, 1]);
  assert.deepEqual(quantize(false), [0, 0, 0, 1, 1]);
});

Deno.test("clampGrid() on codes is the clamp on values, for every grid and bound", () => {
  for (const signed of [false, true]) {
    for (const bits of [2, 5, 8]) {
      const grid = thresholdGrid(8, bits, signed);
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
