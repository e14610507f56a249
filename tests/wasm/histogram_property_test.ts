import assert from "node:assert/strict";
import fc from "fast-check";
import { FAST_IMPLEMENTATIONS } from "./implementations.ts";
import { oracle } from "./oracle.ts";
import { BORDER_BITS, CHUNK, createRandom, fromBits } from "./shapes.ts";

/** One seed for all, so that a failure comes again; fast-check prints it with the counterexample. */
const SETTINGS = { seed: 20260721, numRuns: 120 };

const anyBits = fc.integer({ min: 0, max: 0xffff_ffff });
/** Few neighbouring values: bins that repeat. */
const closeBits = fc.integer({ min: 0x3f80_0000, max: 0x3f80_ffff });
const bits = fc.oneof(anyBits, closeBits, fc.constantFrom(...BORDER_BITS));

/** A tensor of up to 2.5 chunks, drawn from few bit patterns: runs of one pattern, or a random mixture. */
const tensor = fc.record({
  patterns: fc.array(bits, { minLength: 1, maxLength: 40 }),
  length: fc.oneof(fc.nat(100), fc.nat(2.5 * CHUNK)),
  run: fc.constantFrom(1, 1, 2, 5, 16, 33),
  seed: fc.nat(),
}).map(({ patterns, length, run, seed }) => {
  const random = createRandom(seed);
  const drawn = new Uint32Array(length);
  for (let start = 0; start < length; start += run) {
    drawn.fill(patterns[Math.floor(random() * patterns.length)], start, start + run);
  }
  return fromBits(drawn);
});

for (const core of FAST_IMPLEMENTATIONS) {
  Deno.test(`${core.name} histogram: data() equals the oracle for any tensor`, () => {
    fc.assert(
      fc.property(tensor, (values) => {
        const accumulator = core.create();
        accumulator.observe(values);
        assert.deepEqual(accumulator.data(), oracle(values));
      }),
      SETTINGS,
    );
  });

  Deno.test(`${core.name} histogram: any cut and any merge gives the same bits`, () => {
    fc.assert(
      fc.property(tensor, fc.array(fc.nat(2.5 * CHUNK), { maxLength: 6 }), (values, cuts) => {
        const borders = [0, ...cuts.map((cut) => cut % (values.length + 1)), values.length]
          .sort((a, b) => a - b);
        const observed = core.create();
        const merged = core.create();
        for (let i = borders.length - 1; i > 0; i--) {
          const part = values.subarray(borders[i - 1], borders[i]);
          observed.observe(part);
          const shard = core.create();
          shard.observe(part);
          merged.add(shard.data());
        }
        const whole = oracle(values);
        assert.deepEqual(observed.data(), whole);
        assert.deepEqual(merged.data(), whole);
      }),
      SETTINGS,
    );
  });

  Deno.test(`${core.name} histogram: any interleaving keeps two accumulators apart`, () => {
    fc.assert(
      fc.property(tensor, tensor, fc.array(fc.boolean(), { maxLength: 6 }), (a, b, turns) => {
        const [first, second] = [core.create(), core.create()];
        for (const turn of turns) turn ? first.observe(a) : second.observe(b);
        assert.deepEqual(first.data(), oracle(...turns.filter((turn) => turn).map(() => a)));
        assert.deepEqual(second.data(), oracle(...turns.filter((turn) => !turn).map(() => b)));
      }),
      { ...SETTINGS, numRuns: 60 },
    );
  });
}
