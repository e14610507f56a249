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

Deno.test("powerOfTwoErrors() is exact for counts beyond 2^40", () => {
  // A histogram in which every element of a small one is there so many times: errors grow by that factor.
  const factor = 2n ** 31n + 12345n;
  for (const values of [SHAPES.gauss, SHAPES.relu6, SHAPES.heavy]) {
    const accumulator = createNaiveHistogramCore().create();
    accumulator.observe(values.subarray(0, 40));
    const small = accumulator.data();
    const times = (sums: BigUint64Array) => sums.map((sum) => sum * factor);
    const large = {
      ...small,
      finite: small.finite * Number(factor),
      n: small.n.map((n) => n * Number(factor)),
      r1: times(small.r1),
      r2: times(small.r2),
    };
    assert.ok(large.r2.every((r2, i) => r2 / factor === small.r2[i]), "no sum overflows");
    for (const signed of [false, true]) {
      for (const exponent of [-3, 0, 2, 3, 5]) {
        const quantizer = { exponent, bits: signed ? 9 : 8, signed };
        const one = powerOfTwoErrors(exactHistogram(small), quantizer);
        const all = powerOfTwoErrors(exactHistogram(large), quantizer);
        for (const sum of ["squared", "absolute"] as const) {
          const { value, exponent } = one[sum];
          assert.equal(compareDyadic(all[sum], { value: value * factor, exponent }), 0);
        }
      }
    }
  }
});

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
