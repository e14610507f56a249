import assert from "node:assert/strict";
import { searchThreshold } from "../../../pipeline/search/search_threshold.ts";
import { divideDyadic } from "../../../pipeline/statistics/dyadic.ts";
import type { SettledSpec } from "../../../core/types.ts";
import { createNaiveHistogramCore, type HistogramData } from "../../../wasm/mod.ts";
import { naiveErrors } from "../../support/exact.ts";
import { mctData } from "../../support/mct_data.ts";
import { SHAPES } from "../../support/shapes.ts";
import { sharedPath } from "../../support/shared.ts";

const SPEC: SettledSpec = { bits: 8, constraint: "pot", signed: "auto", error: "mse" };

function observe(values: Float32Array): HistogramData {
  const accumulator = createNaiveHistogramCore().create();
  accumulator.observe(values);
  return accumulator.data();
}

for (const [shape, values] of Object.entries(SHAPES)) {
  Deno.test(`searchThreshold() has no candidate of smaller true error: ${shape}`, () => {
    for (const bits of [8, 4, 2]) {
      const found = searchThreshold(observe(values), { ...SPEC, bits });
      const error = (threshold: number) =>
        divideDyadic(
          naiveErrors(values, Math.log2(threshold), bits, found.signed).squared,
          BigInt(values.length),
        );
      for (const point of found.curve) assert.equal(point.error, error(point.threshold));
      const least = Math.min(...found.curve.map((point) => point.error));
      assert.equal(found.error, found.curve.length === 0 ? 0 : least);
      assert.equal(found.error, error(found.threshold));
    }
  });
}

Deno.test("searchThreshold() takes NOCLIPPING as the smallest power of two that holds every value", () => {
  const threshold = (...values: number[]) =>
    searchThreshold(observe(Float32Array.from(values)), { ...SPEC, error: "noclipping" }).threshold;
  assert.equal(threshold(0.1, 5.9), 8);
  assert.equal(threshold(-8, 2), 8);
  assert.equal(threshold(8.001), 16);
  assert.equal(threshold(0.5), 0.5);
  assert.equal(threshold(0.50001), 1);
  assert.equal(threshold(-(2 ** 100)), 2 ** 100);
});

Deno.test("searchThreshold() gives ties to the threshold nearest the one that clips nothing", () => {
  // 0 is exact on every grid, 1 on every one that reaches past it: all of 2, 4, 8 … have no error.
  const found = searchThreshold(observe(Float32Array.of(0, 1)), SPEC);
  assert.equal(found.curve.find(({ threshold }) => threshold === 2)?.error, 0);
  assert.equal(found.threshold, 2);
});

Deno.test("searchThreshold() is signed exactly when a value below zero was seen", () => {
  const sign = (...values: number[]) => searchThreshold(observe(Float32Array.from(values)), SPEC);
  assert.equal(sign(0, 1).signed, false);
  assert.equal(sign(-0, 1).signed, false);
  assert.equal(sign(-1e-30, 1).signed, true);
  assert.match(sign(-3, 1).reason.join(), /least value is -3/);
  const forced = (signed: "yes" | "no") =>
    searchThreshold(observe(Float32Array.of(-1, 1)), { ...SPEC, signed });
  assert.equal(forced("yes").signed, true);
  assert.equal(forced("no").signed, false);
  assert.equal(forced("no").clippedFraction, 0.5, "−1 is below zero, 1 is below the threshold 2");
});

Deno.test("searchThreshold() has an answer for tensors without information", () => {
  const zeros = searchThreshold(observe(new Float32Array(9)), SPEC);
  assert.equal(zeros.threshold, 2 ** -16);
  assert.equal(zeros.error, 0);
  assert.equal(zeros.sqnr, null);
  assert.match(zeros.reason.join(), /every threshold is exact/);
  const nothing = searchThreshold(observe(new Float32Array(0)), SPEC);
  assert.deepEqual([nothing.error, nothing.sqnr, nothing.curve], [null, null, []]);
});

Deno.test("searchThreshold() counts clipped elements exactly", () => {
  const values = Float32Array.of(...Array(99).fill(0.5), 3);
  const found = searchThreshold(observe(values), { ...SPEC, bits: 8 });
  const outside = values.filter((x) => x >= found.threshold).length;
  assert.equal(found.clippedFraction, outside / values.length);
});

const vectors = sharedPath("reference/mct_vectors.json");
Deno.test({
  name:
    "searchThreshold() never chooses worse than MCT did on its recorded vectors (needs ../shared)",
  ignore: vectors === undefined,
  fn: () => {
    const { selection } = JSON.parse(Deno.readTextFileSync(vectors!));
    for (const [name, values] of Object.entries(mctData())) {
      const data = observe(values);
      for (const bits of [8, 4]) {
        const recorded = (method: string): number =>
          selection[name].th[`pot/${bits}/${method}`].threshold;
        const found = searchThreshold(data, { ...SPEC, bits });
        const theirs = found.curve.find(({ threshold }) => threshold === recorded("MSE"))!;
        assert.ok(
          found.error! <= theirs.error,
          `${name}, ${bits} bits: MCT's ${theirs.threshold} is better`,
        );
        const range = searchThreshold(data, { ...SPEC, bits, error: "noclipping" });
        assert.equal(range.threshold, recorded("NOCLIPPING"), `${name}, ${bits} bits`);
      }
    }
  },
});

Deno.test({
  name:
    "searchThreshold() agrees with the element-wise errors recorded beside MCT's (needs ../shared)",
  ignore: vectors === undefined,
  fn: () => {
    const { pot_candidates: candidates } = JSON.parse(Deno.readTextFileSync(vectors!));
    for (const [name, values] of Object.entries(mctData())) {
      for (const bits of [8, 4, 2]) {
        const { curve } = searchThreshold(observe(values), { ...SPEC, bits });
        for (const { t, exactMSE } of candidates[`${name}/${bits}`]?.rows ?? []) {
          const error = curve.find(({ threshold }) => threshold === t)?.error;
          // Theirs are of float64 data, ours of the same rounded to float32.
          if (error !== undefined) {
            assert.ok(Math.abs(error / exactMSE - 1) < 1e-5, `${name}, ${bits}, ${t}`);
          }
        }
      }
    }
  },
});
