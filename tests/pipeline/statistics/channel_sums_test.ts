/** Sums of channels: exact within rounding, and the same however samples are batched, ordered and merged. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Tensor } from "../../../core/tensor.ts";
import {
  type ChannelAxis,
  ChannelCollector,
  channelMeans,
  channelVariances,
  mergeChannels,
} from "../../../pipeline/statistics/channel_sums.ts";
import { gaussian } from "../../support/random.ts";

/** Sums over samples, given in batches of some sizes. */
function collect(samples: readonly Tensor[], sizes: readonly number[], axis: ChannelAxis) {
  const collector = new ChannelCollector("x", axis);
  for (let start = 0, i = 0; start < samples.length; i++) {
    const batch = samples.slice(start, start += sizes[i % sizes.length]);
    const length = batch[0].data.length;
    const data = new Float32Array(batch.length * length);
    batch.forEach((sample, k) => data.set(sample.data, k * length));
    collector.add({ data, dims: [batch.length, ...batch[0].dims.slice(1)] });
  }
  return collector.statistics();
}

function draw(count: number, dims: readonly number[], seed: number): Tensor[] {
  const normal = gaussian(seed);
  const length = dims.reduce((product, size) => product * size, 1);
  return Array.from({ length: count }, (_, k) => ({
    dims,
    data: Float32Array.from({ length }, (_, i) => normal() * 10 ** (k % 7 - 3) + i % 5),
  }));
}

const LAYOUTS: readonly [string, readonly number[], ChannelAxis][] = [
  ["planes", [1, 5, 7, 9], 1],
  ["planes of one element", [1, 5, 1, 1], 1],
  ["one dimension", [1, 3, 40], 1],
  ["rows", [1, 6], 1],
  ["rows for a MatMul", [1, 6], -1],
  ["matrices", [1, 11, 6], -1],
  ["heads of matrices", [1, 2, 11, 6], -1],
];

for (const [name, dims, axis] of LAYOUTS) {
  Deno.test(`sums of channels don't depend on batches, order and shards: ${name}`, () => {
    const samples = draw(13, dims, 3);
    const whole = collect(samples, [1], axis);
    assert.deepEqual(collect(samples, [13], axis), whole);
    fc.assert(fc.property(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
      fc.shuffledSubarray(samples, { minLength: 13 }),
      fc.integer({ min: 1, max: 12 }),
      (sizes, shuffled, cut) => {
        assert.deepEqual(collect(shuffled, sizes, axis), whole);
        const parts = [shuffled.slice(0, cut), shuffled.slice(cut)];
        assert.deepEqual(mergeChannels(parts.map((part) => collect(part, sizes, axis))), whole);
      },
    ));
  });

  Deno.test(`means and variances of channels are those of the elements: ${name}`, () => {
    const samples = draw(9, dims, 5);
    const statistics = collect(samples, [2], axis);
    const [means, variances] = [channelMeans(statistics)!, channelVariances(statistics)!];
    const isPlane = axis === 1 && dims.length > 2;
    const channels = isPlane ? dims[1] : dims.at(-1)!;
    const plane = isPlane ? dims.slice(2).reduce((product, size) => product * size, 1) : 1;
    for (let c = 0; c < channels; c++) {
      const own = samples.flatMap(({ data }) =>
        [...data].filter((_, i) => Math.floor(i / plane) % channels === c)
      );
      const mean = own.reduce((a, b) => a + b) / own.length;
      const variance = own.reduce((sum, x) => sum + (x - mean) ** 2, 0) / own.length;
      assert.equal(statistics.count, own.length);
      assert.ok(Math.abs(means[c] - mean) < 1e-9 * Math.sqrt(variance), `${means[c]}, ${mean}`);
      assert.ok(Math.abs(variances[c] / variance - 1) < 1e-9, `${variances[c]}, ${variance}`);
    }
  });
}

Deno.test("channels are unknown where sums are too large, or their number varies, and stay so when merged", () => {
  const huge = collect([{ data: Float32Array.of(1e30, 1), dims: [1, 2] }], [1], 1);
  const varied = new ChannelCollector("x", 1);
  varied.add({ data: new Float32Array(8), dims: [1, 2, 4] });
  varied.add({ data: new Float32Array(12), dims: [1, 3, 4] });
  const flat = new ChannelCollector("x", 1);
  flat.add({ data: new Float32Array(8), dims: [8] });
  for (const unknown of [huge, varied.statistics(), flat.statistics()]) {
    assert.deepEqual([unknown.count, unknown.sums, unknown.squares], [0, null, null]);
    assert.equal(channelMeans(unknown), undefined);
    assert.equal(channelVariances(unknown), undefined);
    const known = collect(draw(2, [1, 2], 1), [1], 1);
    assert.deepEqual(mergeChannels([known, unknown]), unknown);
    assert.deepEqual(mergeChannels([unknown, known]), unknown);
    const nothing = new ChannelCollector("x", 1).statistics();
    assert.deepEqual(mergeChannels([nothing, known, nothing]), known);
    assert.deepEqual(mergeChannels([nothing, nothing]), nothing);
  }
});

Deno.test("sums of channels keep small values beside large ones, and negative ones", () => {
  const values = [2 ** 20, -(2 ** -60), 2 ** -60, -(2 ** 20), -(2 ** -62), 3 * 2 ** 20];
  const samples = values.map((x) => ({ data: Float32Array.of(x, -x), dims: [1, 2] }));
  const { sums } = collect(samples, [1], 1);
  const wanted = 3n * 2n ** 84n - 4n;
  assert.deepEqual(sums, [wanted, -wanted]);
});
