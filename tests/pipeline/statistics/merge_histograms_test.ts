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
