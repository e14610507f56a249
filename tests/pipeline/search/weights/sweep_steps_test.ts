/** The sweep over all steps finds what trying them one by one finds, for any importance of the weights. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { sweepSteps } from "../../../../pipeline/search/weights/sweep_steps.ts";

const weight = fc.double({ min: -1, max: 1, noNaN: true });
const counted = fc.record({ w: weight, c: fc.double({ min: 0.01, max: 10, noNaN: true }) });

for (const power of [2, 1] as const) {
  Deno.test(`sweepSteps() misses no step that a dense search finds: p = ${power}`, () => {
    fc.assert(fc.property(
      fc.array(counted, { minLength: 1, maxLength: 40 }),
      fc.constantFrom(1, 3, 7, 127),
      fc.boolean(),
      (list, high, isClipped) => {
        const weights = Float64Array.from(list, ({ w }) => w);
        const counts = Float64Array.from(list, ({ c }) => c);
        const largest = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
        if (largest < 1e-3) return;
        const [from, to] = [
          Math.fround(largest / high / (isClipped ? 3 : 1)),
          Math.fround(2 * largest / high),
        ];
        const errorOf = (step: number) =>
          weights.reduce((sum, w, i) => {
            const code = Math.min(Math.round(Math.abs(w) / step), high);
            return sum + counts[i] * Math.abs(Math.abs(w) - code * step) ** power;
          }, 0);
        const found = sweepSteps({ weights, counts, power, from, to, high }, 16);
        const best = found.reduce((least, { step }) => Math.min(least, errorOf(step)), Infinity);
        let dense = Infinity;
        for (let i = 0; i <= 2000; i++) {
          dense = Math.min(dense, errorOf(from * (to / from) ** (i / 2000)));
        }
        // For p = 1 what is found is near the minimum, to be looked at closer.
        const signal = weights.reduce((sum, w, i) => sum + counts[i] * Math.abs(w) ** power, 0);
        const slack = power === 2 ? 1e-9 * signal + 1e-3 * dense : 5e-3 * signal + 2e-2 * dense;
        assert.ok(best <= dense + slack, `${best} for ${dense}`);
        for (const { step, below, above } of found) {
          assert.ok(from <= step && step <= to);
          // Least squares may leave the cell, for the better.
          if (power === 1) assert.ok(below <= step && step <= above);
        }
      },
    ));
  });
}
