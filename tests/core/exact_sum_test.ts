/** Sums without rounding. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ExactSum } from "../../core/exact_sum.ts";

const sumOf = (values: readonly number[]) => {
  const sum = new ExactSum();
  for (const value of values) sum.add(value);
  return sum;
};
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });

Deno.test("a sum of one number is that number, and survives as text", () => {
  fc.assert(
    fc.property(finite, (value) => {
      const sum = sumOf([value]);
      assert.equal(sum.value(), value + 0);
      assert.equal(ExactSum.parse(`${sum}`).value(), value + 0);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("order and parts don't matter", () => {
  fc.assert(fc.property(fc.array(finite, { maxLength: 20 }), fc.nat(20), (values, cut) => {
    const whole = `${sumOf(values)}`;
    assert.equal(`${sumOf(values.toReversed())}`, whole);
    assert.equal(`${ExactSum.of([sumOf(values.slice(0, cut)), sumOf(values.slice(cut))])}`, whole);
  }));
});

Deno.test("two numbers give what the engine's one rounding gives", () => {
  fc.assert(
    fc.property(finite, finite, (a, b) => {
      assert.equal(sumOf([a, b]).value(), a + b + 0);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("ties go to the even neighbour, and the least bit far below decides them", () => {
  assert.equal(sumOf([2 ** 53, 1]).value(), 2 ** 53);
  assert.equal(sumOf([2 ** 53, 3]).value(), 2 ** 53 + 4);
  assert.equal(sumOf([2 ** 53, 1, 2 ** -1074]).value(), 2 ** 53 + 2);
  assert.equal(sumOf([2 ** 53, 1, -(2 ** -1074)]).value(), 2 ** 53);
  assert.equal(sumOf([Number.MAX_VALUE, Number.MAX_VALUE]).value(), Infinity);
});

Deno.test("what isn't finite is refused", () => {
  for (const value of [NaN, Infinity, -Infinity]) assert.throws(() => sumOf([value]), RangeError);
});
