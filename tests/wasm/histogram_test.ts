import assert from "node:assert/strict";
import { emptyHistogram, type HistogramCore, type HistogramData } from "../../wasm/mod.ts";
import { IMPLEMENTATIONS } from "./implementations.ts";
import { oracle } from "./oracle.ts";
import { BORDER_BITS, CHUNK, createShape, fromBits, SCRATCH_FROM, SHAPES } from "./shapes.ts";

/** All remainders of a kernel's step once the scratch table is used, and the ends of chunks. */
const LENGTHS_AT_CHANGES: readonly number[] = [
  ...Array.from({ length: 19 }, (_, i) => SCRATCH_FROM - 1 + i),
  ...[-1, 0, 1, 15, 16, 17].map((more) => CHUNK + more),
  ...[-1, 0, 1, 17].map((more) => CHUNK + SCRATCH_FROM + more),
];

for (const core of IMPLEMENTATIONS) testHistogram(core);

function testHistogram(core: HistogramCore): void {
  function test(sentence: string, run: () => void): void {
    Deno.test(`${core.name} histogram: ${sentence}`, run);
  }

  function observe(...parts: readonly Float32Array[]): HistogramData {
    const accumulator = core.create();
    for (const part of parts) accumulator.observe(part);
    return accumulator.data();
  }

  test("data() of nothing is emptyHistogram()", () => {
    assert.deepEqual(observe(), emptyHistogram());
    assert.deepEqual(observe(new Float32Array(0)), emptyHistogram());
  });

  test("data() of known elements is what the definition says", () => {
    const data = observe(
      fromBits([0x3f80_0003, 0x3f80_0004, 0xc000_7fff, 0, 0x8000_0000, 0x7fc0_0000]),
    );
    assert.deepEqual(data, {
      finite: 5,
      zeros: 2,
      nan: 1,
      positiveInfinity: 0,
      negativeInfinity: 0,
      min: -2 - 0x7fff * 2 ** -22,
      max: 1 + 4 * 2 ** -23,
      bins: Uint32Array.of(0, 127 * 256, 65536, 65536 + 128 * 256),
      n: Float64Array.of(1, 2, 1, 1),
      r1: BigUint64Array.of(0n, 7n, 0n, 0x7fffn),
      r2: BigUint64Array.of(0n, 25n, 0n, 0x7fffn ** 2n),
    });
  });

  for (const shape of SHAPES) {
    test(`data() equals the oracle at all lengths and offsets (${shape})`, () => {
      const values = createShape(shape, 80);
      for (let offset = 0; offset <= 5; offset++) {
        for (let length = 0; length <= 70; length++) {
          const part = values.subarray(offset, offset + length);
          assert.deepEqual(observe(part), oracle(part), `length ${length}, offset ${offset}`);
        }
      }
    });

    test(`data() equals the oracle around the lengths where the path changes (${shape})`, () => {
      const values = createShape(shape, CHUNK + SCRATCH_FROM + 40);
      for (const length of LENGTHS_AT_CHANGES) {
        const offset = length % 5;
        const part = values.subarray(offset, offset + length);
        assert.deepEqual(observe(part), oracle(part), `length ${length}, offset ${offset}`);
      }
    });

    test(`data() does not depend on order or split (${shape})`, () => {
      const values = createShape(shape, 3 * CHUNK + 77);
      const whole = observe(values);
      assert.deepEqual(whole, oracle(values));
      assert.deepEqual(observe(values.toReversed()), whole);
      assert.deepEqual(observe(values.toSorted()), whole);
      for (const step of [1000, SCRATCH_FROM + 1, CHUNK, CHUNK + 5]) {
        const parts: Float32Array[] = [];
        for (let start = 0; start < values.length; start += step) {
          parts.unshift(values.subarray(start, start + step));
        }
        assert.deepEqual(observe(...parts), whole, `parts of ${step}`);
      }
    });

    test(`add() equals having observed the elements (${shape})`, () => {
      for (const other of SHAPES) {
        for (const length of [1, SCRATCH_FROM + 3]) {
          const a = createShape(shape, length, 2);
          const b = createShape(other, length, 3);
          const merged = core.create();
          merged.add(observe(a));
          merged.add(observe(b));
          assert.deepEqual(merged.data(), oracle(a, b), `with ${other}, ${length} elements each`);
          merged.observe(a);
          assert.deepEqual(merged.data(), oracle(a, b, a), `with ${other}, observing after add()`);
        }
      }
    });

    test(`Σx and Σx² from data() are the rational sums of the elements (${shape})`, () => {
      const values = createShape(shape, 5000, 4);
      assert.deepEqual(sumsOfBins(observe(values)), sumsOfElements(values));
    });
  }

  test("data() is right wherever in a chunk a border value stands among others", () => {
    for (const bits of BORDER_BITS) {
      for (const position of [0, 1, 2, 3, 4, 7, 8, 13, 15, 16, 31, 4095]) {
        const values = createShape("gauss", SCRATCH_FROM, 5);
        values.set(fromBits([bits]), position);
        assert.deepEqual(
          observe(values),
          oracle(values),
          `bits 0x${bits.toString(16)} at ${position}`,
        );
      }
    }
  });

  test("data() is right for a whole chunk of one border value and for pairs of them", () => {
    for (const first of BORDER_BITS) {
      for (const second of BORDER_BITS) {
        const values = fromBits(new Uint32Array(SCRATCH_FROM).fill(first));
        values.set(fromBits([second]), 21);
        assert.deepEqual(
          observe(values),
          oracle(values),
          `bits 0x${first.toString(16)} and 0x${second.toString(16)}`,
        );
      }
    }
  });

  test("add() takes the extremes over when only zeros or one sign were seen", () => {
    for (const a of [[0], [-0], [1], [-1], [2, 3], [-3, -2], [-1, 1], [NaN]]) {
      for (const b of [[0], [-0], [1], [-1], [2, 3], [-3, -2], [-1, 1], [NaN]]) {
        const merged = core.create();
        merged.observe(Float32Array.from(a));
        merged.add(observe(Float32Array.from(b)));
        const { min, max } = merged.data();
        const finite = [...a, ...b].filter(Number.isFinite).map((x) => x + 0);
        assert.equal(min, finite.length === 0 ? NaN : Math.min(...finite), `min of ${a} and ${b}`);
        assert.equal(max, finite.length === 0 ? NaN : Math.max(...finite), `max of ${a} and ${b}`);
      }
    }
  });

  test("add() takes more bins than one transfer holds", () => {
    const values = createShape("any bits", 40000, 6);
    const data = observe(values);
    assert.ok(data.bins.length > 10000, `only ${data.bins.length} bins`);
    const merged = core.create();
    merged.add(data);
    assert.deepEqual(merged.data(), oracle(values));
  });

  test("data() is a copy, and observing goes on after it", () => {
    const values = createShape("relu6", 2 * CHUNK, 7);
    const accumulator = core.create();
    accumulator.observe(values);
    const before = accumulator.data();
    accumulator.observe(values);
    const after = accumulator.data();
    assert.deepEqual(before, oracle(values));
    assert.deepEqual(after, oracle(values, values));
    before.n.fill(0);
    assert.deepEqual(accumulator.data(), after);
  });

  test("the statistics of one accumulator never show in another", () => {
    const tensors = SHAPES.map((shape, i) => createShape(shape, i % 2 === 0 ? 9000 : 900, 8));
    const accumulators = tensors.map(() => core.create());
    for (const part of [0, 1, 2]) {
      tensors.forEach((tensor, i) => {
        const third = tensor.length / 3;
        accumulators[i].observe(tensor.subarray(part * third, (part + 1) * third));
      });
    }
    accumulators.forEach((accumulator, i) => {
      assert.deepEqual(accumulator.data(), oracle(tensors[i]), SHAPES[i]);
    });
    assert.deepEqual(core.create().data(), emptyHistogram());
  });

  test("observe() leaves the values as they were", () => {
    const values = createShape("any bits", 5000, 9);
    const copy = new Uint32Array(values.slice().buffer);
    core.create().observe(values);
    assert.deepEqual(new Uint32Array(values.buffer), copy);
  });
}

interface Sums {
  /** Σx over finite elements, in units of 2^-149. */
  readonly x: bigint;
  /** Σx² over finite elements, in units of 2^-298. */
  readonly xx: bigint;
}

/** By the formula of `HistogramData`, written out anew so that it checks `wasm/bins.ts` and the sums alike. */
function sumsOfBins({ bins, n, r1, r2 }: HistogramData): Sums {
  let [x, xx] = [0n, 0n];
  bins.forEach((bin, i) => {
    const exponent = (bin >>> 8) & 255;
    const fraction = BigInt(bin & 255) << 15n;
    const base = exponent === 0 ? fraction : fraction + 2n ** 23n;
    const ulp = 2n ** BigInt(Math.max(exponent, 1) - 1);
    const count = BigInt(n[i]);
    const magnitude = ulp * (count * base + r1[i]);
    x += bin >= 65536 ? -magnitude : magnitude;
    xx += ulp * ulp * (count * base * base + 2n * base * r1[i] + r2[i]);
  });
  return { x, xx };
}

function sumsOfElements(values: Float32Array): Sums {
  let [x, xx] = [0n, 0n];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    // In steps, since 2^149 · 2^128 is no number. Both factors are powers of two: nothing is rounded.
    const scaled = Math.abs(value) < 1
      ? BigInt(value * 2 ** 149)
      : BigInt(value * 2 ** 23) * 2n ** 126n;
    x += scaled;
    xx += scaled * scaled;
  }
  return { x, xx };
}
