import assert from "node:assert/strict";
import {
  type Accumulator,
  emptyHistogram,
  type HistogramCore,
  type HistogramData,
} from "../../wasm/mod.ts";
import { FAST_IMPLEMENTATIONS, IMPLEMENTATIONS } from "./implementations.ts";
import { oracle } from "./oracle.ts";
import { CHUNK, createShape, fromBits } from "./shapes.ts";

const MAX_R = 0x7fff;
const ONE_BIN = 127 * 256;

/** `count` elements with the largest r of bin 127·256. */
function largestR(count: number): HistogramData {
  const value = 1 + MAX_R * 2 ** -23;
  return {
    ...emptyHistogram(),
    finite: count,
    min: value,
    max: value,
    bins: Uint32Array.of(ONE_BIN),
    n: Float64Array.of(count),
    r1: BigUint64Array.of(BigInt(count) * BigInt(MAX_R)),
    r2: BigUint64Array.of(BigInt(count) * BigInt(MAX_R) ** 2n),
  };
}

function onlyZeros(count: number): HistogramData {
  return {
    ...emptyHistogram(),
    finite: count,
    zeros: count,
    min: 0,
    max: 0,
    bins: Uint32Array.of(0),
    n: Float64Array.of(count),
    r1: new BigUint64Array(1),
    r2: new BigUint64Array(1),
  };
}

/** Asserts that `action` throws a RangeError with these words, and changes nothing. */
function assertRefused(accumulator: Accumulator, action: () => void, words: RegExp): void {
  const before = accumulator.data();
  assert.throws(action, (error) => error instanceof RangeError && words.test(error.message));
  assert.deepEqual(accumulator.data(), before);
}

for (const core of FAST_IMPLEMENTATIONS) {
  // 2^24 is where n would run out of its 24 bits in the scratch table.
  Deno.test(`${core.name} histogram: a bin takes more than 2^24 equal elements at once`, () => {
    const count = 2 ** 24 + 3 * CHUNK + 5;
    const values = fromBits(new Uint32Array(count).fill(0x3f80_0000 | MAX_R));
    const accumulator = core.create();
    accumulator.observe(values);
    assert.deepEqual(accumulator.data(), largestR(count));
    accumulator.observe(values);
    assert.deepEqual(accumulator.data(), largestR(2 * count));
  });

  Deno.test(`${core.name} histogram: a bin takes more than 2^24 mixed elements at once`, () => {
    const count = 2 ** 24 + 4 * CHUNK;
    const bits = new Uint32Array(count);
    for (let i = 0; i < count; i++) bits[i] = 0x3f80_0000 | (MAX_R - (i & 1));
    const accumulator = core.create();
    accumulator.observe(fromBits(bits));
    const { n, r1, r2 } = accumulator.data();
    const half = BigInt(count / 2);
    assert.deepEqual(n, Float64Array.of(count));
    assert.deepEqual(r1, BigUint64Array.of(half * BigInt(2 * MAX_R - 1)));
    assert.deepEqual(r2, BigUint64Array.of(half * BigInt(MAX_R ** 2 + (MAX_R - 1) ** 2)));
  });
}

for (const core of IMPLEMENTATIONS) testLimits(core);

function testLimits(core: HistogramCore): void {
  function test(sentence: string, run: () => void): void {
    Deno.test(`${core.name} histogram: ${sentence}`, run);
  }

  test("a bin holds 2^34 elements whatever their r, and refuses as many again", () => {
    const accumulator = core.create();
    accumulator.add(largestR(2 ** 33));
    accumulator.add(largestR(2 ** 33));
    assert.deepEqual(accumulator.data(), largestR(2 ** 34));
    const more = largestR(2 ** 34);
    assertRefused(
      accumulator,
      () => accumulator.add(more),
      /Σr² of bin 32512 must stay below 2\^64/,
    );
  });

  test("add() changes nothing when only its last bin is full", () => {
    const accumulator = core.create();
    accumulator.add(largestR(2 ** 34));
    const many = createShape("any bits", 40000).filter((x) => x > 0 && x < 0.9);
    const data = oracle(many, fromBits([0x3f80_0001]));
    data.r2[data.r2.length - 1] = 2n ** 63n;
    assertRefused(accumulator, () => accumulator.add(data), /Σr² of bin 32512/);
  });

  test("observe() refuses elements that might take Σr² past 2^64", () => {
    const accumulator = core.create();
    accumulator.add(largestR(2 ** 34 - 4));
    const room = Number((2n ** 64n - 1n - largestR(2 ** 34 - 4).r2[0]) >> 30n);
    const values = fromBits(new Uint32Array(room).fill(0x3f80_0000 | MAX_R));
    const tooMany = new Float32Array(room + 1);
    assertRefused(accumulator, () => accumulator.observe(tooMany), /fullest bin must stay below/);
    if (core.name === "naive") return;
    accumulator.observe(values);
    assert.deepEqual(accumulator.data(), largestR(2 ** 34 - 4 + room));
  });

  test("zeros are limited by 2^53 only", () => {
    const accumulator = core.create();
    const limit = Number.MAX_SAFE_INTEGER;
    accumulator.add(onlyZeros(limit - 1));
    accumulator.observe(new Float32Array(1));
    assert.deepEqual(accumulator.data(), onlyZeros(limit));
    const one = new Float32Array(1);
    assertRefused(accumulator, () => accumulator.observe(one), /holds at most 9007199254740991/);
    assertRefused(accumulator, () => accumulator.add(onlyZeros(1)), /would get 1 more/);
  });

  test("observe() refuses what is no Float32Array", () => {
    const accumulator = core.create();
    for (const wrong of [[1, 2], new Float64Array(2), new Uint8Array(2), null, undefined]) {
      assert.throws(
        () => accumulator.observe(wrong as unknown as Float32Array),
        /^TypeError: Cannot observe values: wanted a Float32Array, found \[object/,
      );
    }
    assert.deepEqual(accumulator.data(), emptyHistogram());
  });

  test("add() refuses data that is not canonical, and changes nothing", () => {
    const good = oracle(Float32Array.of(-1, 0, 1, 2, NaN));
    const accumulator = core.create();
    accumulator.observe(createShape("gauss", 5000));
    const bad: readonly [Partial<HistogramData>, RegExp][] = [
      [{ finite: 5 }, /finite must be 4, the sum of n, found 5/],
      [{ nan: -1 }, /nan must be an integer from 0, found -1/],
      [{ positiveInfinity: 0.5 }, /positiveInfinity must be an integer/],
      [{ zeros: 2 }, /zeros must be at most 1/],
      [{ n: Float64Array.of(1, 1, 0, 2) }, /n\[2\] must be an integer from 1, found 0/],
      [{ n: Float64Array.of(4) }, /length of n must be 4, that of bins, found 1/],
      [{ r2: new BigUint64Array(3) }, /length of r2 must be 4/],
      [{ bins: Uint32Array.of(0, 32768, 32512, 98048) }, /bins\[2\] must be more than 32768/],
      [{ bins: Uint32Array.of(0, 32512, 32512, 98048) }, /bins\[2\] must be more than 32512/],
      [{ bins: Uint32Array.of(0, 32512, 32768, 131072) }, /number of a finite bin, found 131072/],
      [{ bins: Uint32Array.of(0, 32512, 65280, 98048) }, /number of a finite bin, found 65280/],
      [{ min: NaN }, /min must be a finite float32 value, found NaN/],
      [{ max: 2.1 }, /max must be a finite float32 value/],
      [{ max: 4 }, /max must be a value in one of the bins/],
      [{ min: 2, max: -1 }, /min must be at most -1/],
    ];
    for (const [change, words] of bad) {
      assertRefused(accumulator, () => accumulator.add({ ...good, ...change }), words);
    }
    const empty = { ...emptyHistogram(), min: 0 };
    assertRefused(accumulator, () => accumulator.add(empty), /min must be NaN/);
    const noZero = { ...oracle(Float32Array.of(1)), min: 0 };
    assertRefused(accumulator, () => accumulator.add(noZero), /min must be not 0/);
  });
}
