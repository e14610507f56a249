/** Bins and sums as bits: what was written is read, each content has one spelling, and that never changes. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { packBins, unpackBins } from "../../../pipeline/statistics/pack_bins.ts";
import { packSums, unpackSums } from "../../../pipeline/statistics/pack_sums.ts";
import { createNaiveHistogramCore, type HistogramData } from "../../../wasm/mod.ts";
import { floats, gaussian, uniform } from "../../support/random.ts";

type Bins = Pick<HistogramData, "bins" | "n" | "r1" | "r2">;

function binsOf(
  rows: readonly (readonly [bin: number, n: number, r1: bigint, r2: bigint])[],
): Bins {
  return {
    bins: Uint32Array.from(rows, ([bin]) => bin),
    n: Float64Array.from(rows, ([, n]) => n),
    r1: BigUint64Array.from(rows, ([, , r1]) => r1),
    r2: BigUint64Array.from(rows, ([, , , r2]) => r2),
  };
}

/** Histogram of values. */
function histogramOf(values: Float32Array): Bins {
  const accumulator = createNaiveHistogramCore().create();
  accumulator.observe(values);
  const { bins, n, r1, r2 } = accumulator.data();
  return { bins, n, r1, r2 };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bins whose elements are few and listed: any set of r. */
const listed = fc.uniqueArray(
  fc.record({
    bin: fc.integer({ min: 0, max: 2 ** 17 - 1 }),
    elements: fc.array(fc.integer({ min: 0, max: 2 ** 15 - 1 }), { minLength: 1, maxLength: 9 }),
  }),
  { selector: ({ bin }) => bin, maxLength: 60 },
).map((rows) =>
  binsOf(
    rows.sort((a, b) => a.bin - b.bin).map(({ bin, elements }) => {
      const sum = (all: readonly number[]) => BigInt(all.reduce((a, b) => a + b));
      return [bin, elements.length, sum(elements), sum(elements.map((r) => r * r))] as const;
    }),
  )
);

Deno.test("any bins are read as they were written", () => {
  fc.assert(fc.property(listed, (bins) => {
    assert.deepEqual(unpackBins(packBins(bins), bins.bins.length), bins);
  }));
});

Deno.test("bins of many elements are read as they were written: alike, at both ends, as many as a file can count", () => {
  const top = 2n ** 15n - 1n;
  const counts = [3n, 2n ** 11n - 1n, 2n ** 11n, 2n ** 22n, 2n ** 22n + 1n, 2n ** 33n, 2n ** 34n];
  const rows = counts.flatMap((n, i) =>
    [0n, 1n, 16383n, 16384n, top].map((r, j) => [100 * i + j, Number(n), n * r, n * r * r] as const)
      .filter(([, , , r2]) => r2 < 2n ** 64n)
  );
  // Half of them at either end: the largest spread there is.
  const spread = counts.slice(1, 6).map((n, i) =>
    [50_000 + i, Number(n), n / 2n * top, n / 2n * top * top] as const
  );
  const most = [60_000, Number.MAX_SAFE_INTEGER, 0n, 0n] as const;
  const bins = binsOf([...rows, ...spread, most, [60_001, 1, top, top * top]]);
  assert.deepEqual(unpackBins(packBins(bins), bins.bins.length), bins);
});

Deno.test("one content has one spelling: what is read from other bytes is written as these bytes", () => {
  const random = uniform(7);
  const bins = histogramOf(floats(3000, gaussian(3)));
  const packed = packBins(bins);
  let read = 0;
  for (let i = 0; i < 3000; i++) {
    const other = packed.slice(
      0,
      random() < 0.1 ? Math.floor(random() * packed.length) : undefined,
    );
    for (let j = random() * 3; j > 0 && other.length > 0; j--) {
      // The last bytes, too: a change there leaves most of the file sound.
      const at = Math.floor(random() * Math.min(other.length, random() < 0.5 ? 4 : Infinity));
      other[other.length - 1 - at] ^= 1 << Math.floor(random() * 8);
    }
    const size = random() < 0.9 ? bins.bins.length : Math.floor(random() * 9);
    let found: Bins;
    try {
      found = unpackBins(other, size);
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
      continue;
    }
    read++;
    assert.deepEqual(packBins(found), other);
  }
  assert.ok(read > 20, `only ${read} were read`);
});

Deno.test("the bytes are these, on every host and in every version of it", () => {
  const bins = binsOf([
    [0, 1, 0n, 0n],
    [1, 2, 32768n, 536870914n],
    [2, 5, 81920n, 1790000000n],
    [70_000, 4_000_000, 65_534_000_000n, 1_431_590_000_000_000n],
    [70_002, 3, 0n, 0n],
  ]);
  assert.equal(
    hex(packBins(bins)),
    "04effec0010003e000d2b74c59fffffe4445b40ffffff2dd08ff000000002180c0a4004007a11f9fbffbd5555548",
  );
  assert.equal(hex(packBins(binsOf([]))), "");
  assert.equal(hex(packSums([0n, 12n, -20n, 2n ** 20n])), "02160000000003ffffb40000");
});

Deno.test("sums that no elements have are refused, not written", () => {
  const impossible: [number, bigint, bigint][] = [
    [0, 0n, 0n],
    [1, 3n, 10n],
    [2, 4n, 11n],
    [2, 4n, 12n],
    [3, 4n, 7n],
    [3, 98302n, 2n ** 40n],
    [3, 9n, 25n],
    [2 ** 30, 2n, 2n ** 20n],
  ];
  for (const [n, r1, r2] of impossible) {
    assert.throws(() => packBins(binsOf([[5, n, r1, r2]])), /impossible sums/, `${n} ${r1} ${r2}`);
  }
});

Deno.test("sums of channels are read as they were written, in one spelling", () => {
  const sum = fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n - 1n });
  const list = fc.tuple(fc.array(sum, { maxLength: 9 }), fc.bigInt({ min: 0n, max: 127n }))
    .map(([sums, low]) => sums.map((sum) => sum >> low << low));
  fc.assert(fc.property(list, (sums) => {
    const packed = packSums(sums);
    assert.deepEqual(unpackSums(packed, sums.length), { sums, size: packed.length });
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(9), (bytes, count) => {
    try {
      const { sums, size } = unpackSums(bytes, count);
      assert.deepEqual(packSums(sums), bytes.slice(0, size));
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
    }
  }));
  const powers = [0, 1, 63, 64, 126].map((bit) => 2n ** BigInt(bit));
  for (const one of [0n, ...powers, ...powers.map((power) => -power), -(2n ** 127n)]) {
    assert.deepEqual(unpackSums(packSums([one]), 1).sums, [one]);
  }
});
