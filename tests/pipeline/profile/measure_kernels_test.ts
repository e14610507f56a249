/** What kernels take, by fine clocks and coarse ones. */
import assert from "node:assert/strict";
import { meanOf, measureKernels } from "../../../pipeline/profile/measure_kernels.ts";
import { nameNodes } from "../../../tpc/emission/fusion.ts";
import { uniform } from "../../support/random.ts";
import { demoModel } from "../../support/demo.ts";

Deno.test("durations that a coarse clock rounds up or down by chance come out on average", () => {
  const random = uniform(7);
  for (const true_ of [7, 38, 104, 251]) {
    const times = Array.from({ length: 4000 }, () => {
      const start = random() * 100;
      // A clock of 100 µs, read at both ends.
      return 100 * (Math.floor((start + true_) / 100) - Math.floor(start / 100));
    });
    const interrupted = times.map((time, i) => i % 50 === 0 ? time + 20_000 : time);
    assert.ok(Math.abs(meanOf(times, 100) - true_) < 0.05 * true_ + 2, `${true_}`);
    assert.ok(Math.abs(meanOf(interrupted, 100) - true_) < 0.05 * true_ + 2, `${true_}, disturbed`);
  }
});

Deno.test("a coarse clock wants more runs, and progress tells of them", async () => {
  const model = nameNodes((await demoModel()).prepared);
  const feeds = new Map([
    [model.graph.input[0].name, { data: new Float32Array(28 * 28), dims: [1, 1, 28, 28] }],
  ]);
  for (const [step, wanted] of [[0.001, 15], [0.1, 120]]) {
    const seen: number[] = [];
    const { kernels, runs } = await measureKernels([{ name: "the demo", model }], feeds, {
      step,
      onProgress: ({ done, total }) => seen.push(done / total!),
    });
    assert.equal(runs, wanted);
    assert.equal(seen.at(-1), 1);
    assert.ok(kernels[0].length > 20);
    assert.ok(kernels[0].every(({ nanoseconds }) => nanoseconds >= 0));
  }
});
