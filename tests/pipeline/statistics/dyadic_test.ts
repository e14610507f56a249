import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addDyadic,
  compareDyadic,
  divideDyadic,
  toNumber,
} from "../../../pipeline/statistics/dyadic.ts";

const dyadic = fc.record({
  value: fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
  exponent: fc.integer({ min: -300, max: 300 }),
});

/** A finite float64 as integer · 2^−1074. */
function exact(x: number): bigint {
  const bits = new BigUint64Array(Float64Array.of(x).buffer)[0];
  const exponent = bits >> 52n & 2047n;
  const mantissa = bits & (1n << 52n) - 1n | (exponent ? 1n << 52n : 0n);
  const magnitude = mantissa << (exponent ? exponent - 1n : 0n);
  return x < 0 ? -magnitude : magnitude;
}

/** The neighbouring float64s. */
function neighbours(x: number): [number, number] {
  const step = (up: bigint) =>
    new Float64Array(
      BigUint64Array.of(new BigUint64Array(Float64Array.of(x).buffer)[0] + up).buffer,
    )[0];
  return [step(-1n), step(1n)];
}

const seed = 20261123;

Deno.test("divideDyadic() gives the nearest float64", () => {
  fc.assert(
    fc.property(dyadic, fc.bigInt({ min: 1n, max: 2n ** 60n }), (a, divisor) => {
      const positive = { ...a, value: a.value < 0n ? -a.value : a.value };
      if (positive.value === 0n) return divideDyadic(positive, divisor) === 0;
      const result = divideDyadic(positive, divisor);
      // |result − a/divisor| compared with that of the neighbours, in integers.
      const numerator = positive.value << BigInt(a.exponent + 1400);
      const distance = (x: number) => {
        const d = (exact(x) << BigInt(1400 - 1074)) * divisor - numerator;
        return d < 0n ? -d : d;
      };
      return neighbours(result).every((other) => distance(other) >= distance(result));
    }),
    { seed, numRuns: 2000 },
  );
});

Deno.test("divideDyadic() rounds ties to even and reaches subnormals", () => {
  assert.equal(toNumber({ value: 2n ** 53n + 1n, exponent: 0 }), 2 ** 53);
  assert.equal(toNumber({ value: 2n ** 53n + 3n, exponent: 0 }), 2 ** 53 + 4);
  assert.equal(toNumber({ value: 1n, exponent: -1074 }), 2 ** -1074);
  assert.equal(toNumber({ value: 3n, exponent: -1075 }), 2 ** -1073);
  assert.equal(toNumber({ value: 1n, exponent: -1075 }), 0);
  assert.equal(toNumber({ value: -5n, exponent: 2 }), -20);
  assert.equal(toNumber({ value: 1n, exponent: 1100 }), Infinity);
});

Deno.test("addDyadic() and compareDyadic() are exact", () => {
  fc.assert(
    fc.property(dyadic, dyadic, (a, b) => {
      const scale = (d: typeof a) => d.value << BigInt(d.exponent + 300);
      const order = scale(a) - scale(b);
      return scale(addDyadic(a, b)) === scale(a) + scale(b) &&
        Math.sign(compareDyadic(a, b)) === (order > 0n ? 1 : order < 0n ? -1 : 0);
    }),
    { seed },
  );
});
