import assert from "node:assert/strict";
import fc from "fast-check";
import { histogramBinary } from "../../wasm/instance.ts";
import {
  createDirectErrorsCore,
  createNaiveDirectErrorsCore,
  type DirectErrors,
  type DirectErrorsCore,
  type DirectGrid,
} from "../../wasm/mod.ts";
import { DIRECT_IMPLEMENTATIONS } from "./implementations.ts";
import { BORDER_BITS, CHUNK, createShape, fromBits, SHAPES } from "./shapes.ts";

/** What is proved in wasm/assembly/direct_errors.ts. */
const TOLERANCE = 1e-12;

/** One seed for all, so that a failure comes again; fast-check prints it with the counterexample. */
const SETTINGS = { seed: 20260721, numRuns: 3000 };

function signed(bits: number, threshold: number): DirectGrid {
  const levels = 2 ** (bits - 1);
  return { step: Math.fround(threshold / levels), low: -levels, high: levels - 1 };
}

function unsigned(bits: number, threshold: number): DirectGrid {
  return { step: Math.fround(threshold / 2 ** bits), low: 0, high: 2 ** bits - 1 };
}

function affine(bits: number, min: number, max: number): DirectGrid {
  const codes = 2 ** bits - 1;
  const step = Math.fround((max - min) / codes);
  const low = Math.round(min / step);
  return { step, low, high: low + codes };
}

const MIN_STEP = 2 ** -126;
const MAX_STEP = fromBits([0x7f7f_ffff])[0];

/** Grids that clip none, some or all of a shape, from the smallest step to the largest. */
const GRIDS: readonly DirectGrid[] = [
  ...[2, 4, 8, 16].flatMap((bits) => [
    signed(bits, 4),
    unsigned(bits, 4),
    signed(bits, 1.1),
    unsigned(bits, 2.7),
    affine(bits, -1.3, 2.9),
  ]),
  { step: MIN_STEP, low: -65536, high: 65536 },
  { step: fromBits([0x0080_0001])[0], low: -1, high: 0 },
  { step: Math.fround(1e-37), low: 0, high: 1 },
  { step: Math.fround(1 / 255), low: -65536, high: 65536 },
  { step: Math.fround(1e36), low: -128, high: 127 },
  { step: MAX_STEP, low: -65536, high: 65536 },
];

/** One of each kind, where there is much to do. */
const FEW_GRIDS: readonly DirectGrid[] = [signed(8, 4), affine(4, -1.3, 2.9), unsigned(16, 2.7)];

interface Answer {
  readonly count: number;
  readonly sums: readonly { readonly squared: number; readonly absolute: number }[];
}

function answerOf(errors: DirectErrors): Answer {
  return { count: errors.count, sums: errors.results() };
}

const naive = createNaiveDirectErrorsCore();

function oracle(grids: readonly DirectGrid[], ...parts: readonly Float32Array[]): Answer {
  const errors = naive.create(grids);
  for (const part of parts) errors.observe(part);
  return answerOf(errors);
}

/** The oracle of a shape for {@linkcode GRIDS}, reckoned once for all implementations. */
const oracles = new Map<string, Answer>();

function oracleOfShape(shape: string, values: Float32Array): Answer {
  let answer = oracles.get(shape);
  if (answer === undefined) oracles.set(shape, answer = oracle(GRIDS, values));
  return answer;
}

function assertClose(found: Answer, wanted: Answer, message: string): void {
  assert.equal(found.count, wanted.count, message);
  assert.equal(found.sums.length, wanted.sums.length, message);
  found.sums.forEach((sums, i) => {
    for (const kind of ["squared", "absolute"] as const) {
      const [a, b] = [sums[kind], wanted.sums[i][kind]];
      assert.ok(Math.abs(a - b) <= TOLERANCE * b, `${message}, grid ${i}: ${kind} ${a}, not ${b}`);
    }
  });
}

for (const core of DIRECT_IMPLEMENTATIONS) testDirectErrors(core);

function testDirectErrors(core: DirectErrorsCore): void {
  function test(sentence: string, run: () => void): void {
    Deno.test(`${core.name} direct errors: ${sentence}`, run);
  }

  function observe(grids: readonly DirectGrid[], ...parts: readonly Float32Array[]): Answer {
    const errors = core.create(grids);
    for (const part of parts) errors.observe(part);
    return answerOf(errors);
  }

  test("results() of nothing is zero for each grid", () => {
    const zero = { squared: 0, absolute: 0 };
    assert.deepEqual(observe(FEW_GRIDS), { count: 0, sums: [zero, zero, zero] });
    assert.deepEqual(observe(FEW_GRIDS, new Float32Array(0)).sums, [zero, zero, zero]);
  });

  test("results() of known elements is what the definition says", () => {
    const grids = [
      { step: 0.5, low: -2, high: 1 },
      { step: 2, low: 0, high: 1 },
      { step: 1, low: -1, high: 0 },
    ];
    // Errors: clipped 1, on a level, inside, a tie, a tie below zero, clipped 2.5.
    assert.deepEqual(observe(grids.slice(0, 1), Float32Array.of(-2, -1, 0.125, 0.25, -0.75, 3)), {
      count: 6,
      sums: [{ squared: 1 + 0.015625 + 2 * 0.0625 + 6.25, absolute: 1 + 0.125 + 2 * 0.25 + 2.5 }],
    });
    assert.deepEqual(observe(grids, Float32Array.of(1, -1, NaN, 0, -0, Infinity)), {
      count: 4,
      sums: [
        { squared: 0.25, absolute: 0.5 },
        { squared: 2, absolute: 2 },
        { squared: 1, absolute: 1 },
      ],
    });
  });

  test("results() agrees with the definition in plain arithmetic", () => {
    const values = createShape("gauss", 5000, 11);
    const { sums } = observe(GRIDS, values);
    GRIDS.forEach(({ step, low, high }, i) => {
      let [squared, absolute] = [0, 0];
      for (const x of values) {
        const error = Math.min(high, Math.max(low, Math.round(x / step))) * step - x;
        squared += error * error;
        absolute += Math.abs(error);
      }
      assert.ok(Math.abs(sums[i].squared - squared) <= 1e-9 * squared, `squared, grid ${i}`);
      assert.ok(Math.abs(sums[i].absolute - absolute) <= 1e-9 * absolute, `absolute, grid ${i}`);
    });
  });

  for (const shape of SHAPES) {
    test(`results() is the oracle's at all lengths and offsets (${shape})`, () => {
      const values = createShape(shape, 24);
      for (let offset = 0; offset <= 5; offset++) {
        for (let length = 0; length <= 18; length++) {
          const part = values.subarray(offset, offset + length);
          const message = `length ${length}, offset ${offset}`;
          assertClose(observe(FEW_GRIDS, part), oracle(FEW_GRIDS, part), message);
        }
      }
    });

    test(`results() is the oracle's for all grids, in any split and order (${shape})`, () => {
      const values = createShape(shape, CHUNK + 77);
      const wanted = oracleOfShape(shape, values);
      assertClose(observe(GRIDS, values), wanted, "whole");
      if (core.name === "naive") return;
      assertClose(observe(GRIDS, values.toReversed()), wanted, "reversed");
      assertClose(observe(GRIDS, values.toSorted()), wanted, "sorted");
      for (const step of [1, 7, 1000, CHUNK, CHUNK + 5]) {
        const parts: Float32Array[] = [];
        for (let start = 0; start < values.length; start += step) {
          parts.unshift(values.subarray(start, start + step));
        }
        assertClose(observe(GRIDS, ...parts), wanted, `parts of ${step}`);
      }
    });
  }

  test("results() is right around the ends of chunks", () => {
    for (const length of [-2, -1, 0, 1, 2, 3, 4, 5, CHUNK].map((more) => CHUNK + more)) {
      const values = createShape("NaN and infinities mixed in", length + 3, 12).subarray(3);
      assertClose(observe(FEW_GRIDS, values), oracle(FEW_GRIDS, values), `length ${length}`);
    }
  });

  test("results() is right wherever a border value stands among others", () => {
    for (const bits of BORDER_BITS) {
      for (const position of [0, 1, 2, 3, 4, 7, 36, 37, 38]) {
        const values = createShape("gauss", 39, 13);
        values.set(fromBits([bits]), position);
        const message = `bits 0x${bits.toString(16)} at ${position}`;
        assertClose(observe(GRIDS, values), oracle(GRIDS, values), message);
      }
    }
  });

  // Fails when an element goes to the wrong side of a border: inside a grid nothing but the square is rounded.
  test("one element within any grid has the oracle's error, bit for bit", () => {
    const element = fc.record({
      // Any normal float32, and those with the fewest and the most bits.
      step: fc.oneof(
        fc.integer({ min: 0x0080_0000, max: 0x7f7f_ffff }),
        fc.integer({ min: 1, max: 254 }).map((exponent) => exponent << 23),
        fc.integer({ min: 1, max: 254 }).map((exponent) => (exponent << 23) | 0x7f_ffff),
      ).map((bits) => fromBits([bits])[0]),
      halves: fc.oneof(
        fc.integer({ min: -131072, max: 131072 }),
        fc.integer({ min: -9, max: 9 }),
      ),
      ulps: fc.integer({ min: -3, max: 3 }),
    });
    fc.assert(
      fc.property(element, ({ step, halves, ulps }) => {
        const near = Math.fround(halves / 2 * step);
        const [bits] = new Uint32Array(Float32Array.of(near).buffer);
        const values = fromBits([(bits + ulps) >>> 0]);
        fc.pre(Math.abs(values[0]) <= 65536 * step);
        const grids = [{ step, low: -65536, high: 65536 }];
        assert.deepEqual(observe(grids, values), oracle(grids, values));
      }),
      SETTINGS,
    );
  });

  test("many small terms are not lost beside a large one", () => {
    const grids = [{ step: 1, low: 0, high: 1 }];
    // The error of the first is 2^26. Below half an ulp of it, or of its square, are the errors of the others.
    for (const small of [0.9 * 2 ** -27, 0.4]) {
      const values = new Float32Array(2 ** 18).fill(small);
      values[0] = 2 ** 26 + 8;
      const wanted = oracle(grids, values);
      assertClose(observe(grids, values), wanted, "at once");
      if (core.name === "naive") continue;
      const errors = core.create(grids);
      for (let i = 0; i < values.length; i++) errors.observe(values.subarray(i, i + 1));
      assertClose(answerOf(errors), wanted, "one by one");
    }
  });

  test("count is that of finite elements, with and without grids", () => {
    const values = createShape("NaN and infinities mixed in", CHUNK + 100, 14);
    const finite = values.filter(Number.isFinite).length;
    assert.ok(finite < values.length);
    for (const grids of [[], FEW_GRIDS]) {
      const { count, sums } = observe(grids, values, values);
      assert.equal(count, 2 * finite);
      assert.equal(sums.length, grids.length);
    }
  });

  test("elements that are not finite change nothing", () => {
    const errors = core.create(GRIDS);
    errors.observe(createShape("gauss", 1000, 15));
    const before = answerOf(errors);
    errors.observe(createShape("only NaN", 1000));
    errors.observe(createShape("only infinities", 1000));
    assert.deepEqual(answerOf(errors), before);
  });

  test("elements on levels have no error at all", () => {
    for (const { step, low, high } of [...GRIDS.slice(0, 20), { step: 1, low: -9, high: 65536 }]) {
      const levels = Float32Array.from({ length: high - low + 1 }, (_, i) => (low + i) * step)
        .filter((x, i) => x === (low + i) * step);
      const { sums } = observe([{ step, low, high }], levels);
      assert.deepEqual(sums, [{ squared: 0, absolute: 0 }]);
    }
  });

  test("results() is a copy, and observing goes on after it", () => {
    const values = createShape("relu6", 5000, 16);
    const errors = core.create(FEW_GRIDS);
    errors.observe(values);
    const before = answerOf(errors);
    errors.observe(values);
    assertClose(before, oracle(FEW_GRIDS, values), "before");
    assertClose(answerOf(errors), oracle(FEW_GRIDS, values, values), "after");
  });

  test("after clear() nothing was seen, and the grids are the same", () => {
    const values = createShape("relu6", 5000, 19);
    const [fresh, used] = [core.create(FEW_GRIDS), core.create(FEW_GRIDS)];
    used.observe(createShape("gauss", 3000, 20));
    used.clear();
    assert.deepEqual(answerOf(used), answerOf(fresh));
    for (const errors of [fresh, used]) errors.observe(values);
    assert.deepEqual(answerOf(used), answerOf(fresh));
  });

  test("the errors of one tensor never show in another", () => {
    const tensors = SHAPES.map((shape, i) => createShape(shape, i % 2 === 0 ? 3000 : 300, 17));
    const grids = tensors.map((_, i) => GRIDS.slice(i, i + 1 + i % 3));
    const all = grids.map((each) => core.create(each));
    for (const part of [0, 1, 2]) {
      tensors.forEach((tensor, i) => {
        const third = tensor.length / 3;
        all[i].observe(tensor.subarray(part * third, (part + 1) * third));
      });
    }
    all.forEach((errors, i) => {
      assertClose(answerOf(errors), oracle(grids[i], tensors[i]), SHAPES[i]);
    });
  });

  test("create() may come between observations, and takes 65536 grids", () => {
    const values = createShape("gauss", 100, 18);
    const errors = core.create(FEW_GRIDS);
    errors.observe(values);
    const many = core.create(Array.from({ length: 65536 }, (_, i) => signed(8, 1 + i / 65536)));
    errors.observe(values);
    many.observe(values.subarray(0, 1));
    const last = oracle([signed(8, 1 + 65535 / 65536)], values.subarray(0, 1));
    assertClose({ count: many.count, sums: many.results().slice(-1) }, last, "the last grid");
    assertClose(answerOf(errors), oracle(FEW_GRIDS, values, values), "the others");
  });

  test("grids are copied, and values are left as they were", () => {
    const grid = { step: 0.5, low: -2, high: 1 };
    const values = createShape("any bits", 5000, 19);
    const copy = new Uint32Array(values.slice().buffer);
    const errors = core.create([grid]);
    const wanted = oracle([grid], values);
    grid.step = 8;
    grid.high = 100;
    errors.observe(values);
    assertClose(answerOf(errors), wanted, "after a change");
    assert.deepEqual(new Uint32Array(values.buffer), copy);
  });

  test("observe() refuses what is no Float32Array, and changes nothing", () => {
    const errors = core.create(FEW_GRIDS);
    for (const wrong of [[1, 2], new Float64Array(2), new Uint8Array(2), null, undefined]) {
      assert.throws(
        () => errors.observe(wrong as unknown as Float32Array),
        /^TypeError: Cannot observe values: wanted a Float32Array, found \[object/,
      );
    }
    assert.deepEqual(answerOf(errors), answerOf(core.create(FEW_GRIDS)));
  });

  test("create() refuses grids that are not as they should be", () => {
    const good = { step: 1, low: -1, high: 1 };
    const bad: readonly [Partial<DirectGrid>, RegExp][] = [
      [{ step: 0 }, /grids\[1\]\.step must be a normal float32 above 0, found 0/],
      [{ step: -1 }, /step must be a normal float32 above 0, found -1/],
      [{ step: 0.1 }, /step must be a normal float32 above 0, found 0\.1/],
      [{ step: 2 ** -127 }, /step must be a normal float32/],
      [{ step: 2 ** 128 }, /step must be a normal float32/],
      [{ step: NaN }, /step must be a normal float32 above 0, found NaN/],
      [{ step: Infinity }, /step must be a normal float32 above 0, found Infinity/],
      [{ low: 1 }, /low must be an integer from -65536 to 0, found 1/],
      [{ low: -65537 }, /low must be an integer from -65536 to 0, found -65537/],
      [{ low: -0.5 }, /low must be an integer/],
      [{ low: NaN }, /low must be an integer/],
      [{ high: -1 }, /high must be an integer from 0 to 65536, found -1/],
      [{ high: 65537 }, /high must be an integer from 0 to 65536, found 65537/],
      [{ high: 1.5 }, /high must be an integer/],
      [{ high: undefined }, /high must be an integer/],
      [{ low: 0, high: 0 }, /high must be more than low, found 0/],
    ];
    for (const [change, words] of bad) {
      assert.throws(
        () => core.create([good, { ...good, ...change }]),
        (error) =>
          error instanceof RangeError && words.test(error.message) &&
          error.message.startsWith("Cannot create direct errors: grids[1]."),
      );
    }
    assert.throws(
      () => core.create(Array.from({ length: 65537 }, () => good)),
      /^RangeError: Cannot create direct errors: their number must be at most 65536, found 65537/,
    );
    assert.throws(
      () => core.create(good as unknown as DirectGrid[]),
      /^TypeError: Cannot create direct errors: wanted an array of grids, found \[object Object\]/,
    );
    assert.throws(() => core.create(new Array(2)), TypeError);
  });
}

Deno.test("createDirectErrorsCore() picks SIMD where the engine has it, and takes a module", async () => {
  assert.equal((await createDirectErrorsCore()).name, "simd");
  const module = await WebAssembly.compile(histogramBinary(false));
  assert.equal((await createDirectErrorsCore({ module })).name, "scalar");
  await assert.rejects(
    () => createDirectErrorsCore({ module, simd: true }),
    /^TypeError: Cannot create the direct errors core: wanted simd true, found a module with simd false/,
  );
});
