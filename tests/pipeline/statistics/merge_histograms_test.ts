import assert from "node:assert/strict";
import { mergeHistograms } from "../../../pipeline/statistics/merge_histograms.ts";
import { observe } from "../../support/observe.ts";
import { SHAPES } from "../../support/shapes.ts";

Deno.test("mergeHistograms() equals observing all elements, for all pairs of shapes", () => {
  for (const [a, x] of Object.entries(SHAPES)) {
    for (const [b, y] of Object.entries(SHAPES)) {
      const all = observe(Float32Array.of(...x, ...y));
      assert.deepEqual(mergeHistograms([observe(x), observe(y)]), all, `${a} and ${b}`);
    }
  }
});

Deno.test("mergeHistograms() of nothing but empty ones is empty", () => {
  const empty = observe(new Float32Array());
  assert.deepEqual(mergeHistograms([empty, empty]), empty);
});

Deno.test("counts beyond what doubles hold exactly are refused, not rounded", () => {
  const one = observe(Float32Array.of(1, 1));
  const many = { ...one, finite: 2 ** 52, n: Float64Array.of(2 ** 52), r1: one.r1, r2: one.r2 };
  mergeHistograms([many, one]);
  assert.throws(
    () => mergeHistograms([many, many]),
    /PlimsollError: While adding up statistics: wanted fewer than 2\^53 elements/,
  );
  const left = { ...one, nan: Number.MAX_SAFE_INTEGER };
  assert.throws(() => mergeHistograms([left, one]), /fewer than 2\^53 elements/);
});
