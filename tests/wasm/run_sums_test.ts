/** Sums of runs beside the histogram: all implementations agree bit for bit, and with bigints within rounding. */
import assert from "node:assert/strict";
import { createRunSums, sumRuns } from "../../wasm/mod.ts";
import { IMPLEMENTATIONS } from "./implementations.ts";
import { createShape, SHAPES } from "./shapes.ts";

/** Around the shortest run that WebAssembly sums, a vector's lanes, and the size of a piece. */
const RUNS = [1, 2, 7, 8, 9, 10, 11, 49, 196, 4095, 8193, 16383, 16384, 16385, 40000];

for (const core of IMPLEMENTATIONS) {
  Deno.test(`${core.name} sums of runs equal those of the plain loop, and leave the histogram as it is`, () => {
    for (const shape of SHAPES) {
      const values = createShape(shape, 90000).map((x) => Number.isFinite(x) ? x : 1);
      for (const run of RUNS) {
        const part = values.subarray(3, 3 + Math.floor(80000 / run) * run);
        const [found, wanted] = [createRunSums(part.length, run), createRunSums(part.length, run)];
        // Whatever was there before.
        found.sums.fill(7);
        const [withSums, without] = [core.create(), core.create()];
        if (core.name === "naive" && run % 2 === 0) continue;
        withSums.observe(part, found);
        sumRuns(part, wanted);
        assert.deepEqual(found, wanted, `${shape}, runs of ${run}`);
        if (core.name === "naive") continue;
        without.observe(part);
        assert.deepEqual(withSums.data(), without.data(), `${shape}, runs of ${run}`);
      }
    }
  });
}

Deno.test("sums of runs are those of the numbers", () => {
  const values = createShape("gauss", 5000);
  const found = createRunSums(5000, 50);
  sumRuns(values, found);
  for (let r = 0; r < 100; r++) {
    const run = values.subarray(50 * r, 50 * r + 50);
    const [sum, square] = run.reduce(([a, b], x) => [a + x, b + x * x], [0, 0]);
    assert.ok(Math.abs(found.sums[r] - sum) < 1e-12 * Math.sqrt(square * 50));
    assert.ok(Math.abs(found.squares[r] - square) < 1e-12 * square);
  }
  assert.throws(() => createRunSums(10, 3), /10 elements in runs of 3: not a whole number/);
});
