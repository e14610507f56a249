import assert from "node:assert/strict";
import { powerOfTwoErrors } from "../../../pipeline/statistics/power_of_two_errors.ts";
import { compareDyadic } from "../../../pipeline/statistics/dyadic.ts";
import { exactHistogram } from "../../../pipeline/statistics/exact_histogram.ts";
import { createHistogramCore, createNaiveHistogramCore } from "../../../wasm/mod.ts";
import { fixed, FIXED_EXPONENT, naiveErrors } from "../../support/exact.ts";
import { SHAPES } from "../../support/shapes.ts";

const CORES = [
  await createHistogramCore({ simd: true }),
  await createHistogramCore({ simd: false }),
  createNaiveHistogramCore(),
];

for (const core of CORES) {
  for (const [shape, values] of Object.entries(SHAPES)) {
    Deno.test(`powerOfTwoErrors() is exact: ${core.name}, ${shape}`, () => {
      const accumulator = core.create();
      accumulator.observe(values);
      const histogram = exactHistogram(accumulator.data());
      let max = 0;
      for (const x of values) max = Math.max(max, Math.abs(x));
      const top = max === 0 ? 0 : Math.ceil(Math.log2(max));
      for (const signed of [false, true]) {
        for (const bits of signed ? [2, 3, 5, 8, 9] : [2, 4, 7, 8]) {
          for (const exponent of [top + 3, top + 1, top, top - 1, top - 4, top - 9, top - 30]) {
            // Bins of subnormals are wider than half of a step below 2^−133.
            if (exponent - bits < -133 || exponent > 127) continue;
            const naive = naiveErrors(values, exponent, bits, signed);
            const errors = powerOfTwoErrors(histogram, { exponent, bits, signed });
            const label = `t = 2^${exponent}, ${bits} bits, ${signed ? "signed" : "unsigned"}`;
            assert.equal(compareDyadic(errors.squared, naive.squared), 0, `MSE, ${label}`);
            assert.equal(compareDyadic(errors.absolute, naive.absolute), 0, `MAE, ${label}`);
          }
        }
      }
    });

    Deno.test(`exactHistogram() has the exact Σx and Σx²: ${core.name}, ${shape}`, () => {
      const accumulator = core.create();
      accumulator.observe(values);
      const { sum, squares } = exactHistogram(accumulator.data());
      let naiveSum = 0n;
      let naiveSquares = 0n;
      for (const x of values) {
        naiveSum += fixed(x);
        naiveSquares += fixed(x) ** 2n;
      }
      assert.equal(compareDyadic(sum, { value: naiveSum, exponent: FIXED_EXPONENT }), 0);
      assert.equal(
        compareDyadic(squares, { value: naiveSquares, exponent: 2 * FIXED_EXPONENT }),
        0,
      );
    });
  }
}

Deno.test("powerOfTwoErrors() refuses grids finer than the bins", () => {
  const histogram = exactHistogram(createNaiveHistogramCore().create().data());
  assert.throws(
    () => powerOfTwoErrors(histogram, { exponent: 0, bits: 9, signed: false }),
    RangeError,
  );
  assert.throws(
    () => powerOfTwoErrors(histogram, { exponent: 0, bits: 10, signed: true }),
    RangeError,
  );
  assert.throws(
    () => powerOfTwoErrors(histogram, { exponent: -130, bits: 8, signed: false }),
    RangeError,
  );
});
