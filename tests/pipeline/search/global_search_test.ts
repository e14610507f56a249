/** Symmetric and uniform search against dense brute force on the elements, and against MCT. */
import assert from "node:assert/strict";
import { searchThreshold } from "../../../pipeline/search/search_threshold.ts";
import { symmetricLevels, uniformLevels } from "../../../core/grid.ts";
import type { SettledSpec } from "../../../core/types.ts";
import { DISTRIBUTIONS, draw } from "../../support/distributions.ts";
import { mctData, recordedChoices } from "../../support/mct_data.ts";
import { gaussian, uniform as uniformRandom } from "../../support/random.ts";
import { observe } from "../../support/observe.ts";
import { sharedPath } from "../../support/shared.ts";
import { trueError } from "../../support/true_error.ts";

const SPEC: SettledSpec = { bits: 8, constraint: "symmetric", signed: "auto", error: "mse" };
/**
 * What a histogram of so many elements leaves open: where a step is hardly wider than a bin, the elements
 * inside a bin are not known to better than this part of the error.
 */
const TOLERANCE: Record<number, number> = { 8: 0.015, 4: 0.001, 3: 0.001 };

for (const name of DISTRIBUTIONS) {
  Deno.test(`symmetric search finds the optimum of dense brute force: ${name}`, () => {
    const values = draw(name, 40000, 77);
    const data = observe(values);
    const signed = data.min < 0;
    const magnitude = Math.max(-data.min, data.max);
    for (const bits of [8, 4, 3]) {
      for (const [error, p] of [["mse", 2], ["mae", 1]] as const) {
        const { levels } = searchThreshold(data, { ...SPEC, bits, error });
        let best = Infinity;
        const density = name === "outlier" || name === "heavy" ? 30 : 120;
        for (let i = 0; i < 360; i++) {
          const threshold = 1.2 * magnitude * 2 ** (-i / density);
          best = Math.min(best, trueError(values, symmetricLevels(threshold, bits, signed), p));
        }
        const found = trueError(values, levels, p);
        assert.ok(
          found <= best * (1 + TOLERANCE[bits]),
          `${bits} bits, ${error}: ${found} against ${best}`,
        );
      }
    }
  });

  Deno.test(`uniform search finds the optimum of dense brute force: ${name}`, () => {
    const values = draw(name, 20000, 78);
    const data = observe(values);
    for (const bits of [8, 4]) {
      const { levels } = searchThreshold(data, { ...SPEC, bits, constraint: "uniform" });
      assert.equal(levels.high - levels.low, 2 ** bits - 1);
      const [min, max] = [Math.min(0, data.min), Math.max(0, data.max)];
      const span = name === "outlier" || name === "heavy" ? 0.4 : 0.06;
      let best = Infinity;
      for (let i = 0; i < 24; i++) {
        for (let j = 0; j < (min < 0 ? 24 : 1); j++) {
          const grid = uniformLevels(
            1.02 * min * 2 ** (-j * span),
            1.02 * max * 2 ** (-i * span),
            bits,
          );
          best = Math.min(best, trueError(values, grid, 2));
        }
      }
      const found = trueError(values, levels, 2);
      assert.ok(found <= best * (1 + TOLERANCE[bits]), `${bits} bits: ${found} against ${best}`);
    }
  });
}

/** Data whose curve has one narrow valley: few elements count, or two values do. */
function raggedData(): Record<string, Float32Array> {
  const [normal, random] = [gaussian(5), uniformRandom(6)];
  const outliers = Float32Array.from({ length: 8192 }, () => 1e-3 * normal());
  for (let i = 0; i < 6; i++) outliers[97 * i] = i === 0 ? -1521 : 1521 * random();
  return {
    "six outliers in a sea of small values": outliers,
    "two values": outliers.map((x) => x > 0 ? 3.3 : -1.7 + x),
    "ten elements": Float32Array.from({ length: 10 }, normal),
    "an outlier of 32": Float32Array.from(
      { length: 32 },
      (_, i) => i === 0 ? 0.1914 : 0.7 + 0.01 * normal(),
    ),
  };
}

for (const [name, values] of Object.entries(raggedData())) {
  Deno.test(`symmetric and uniform search find the narrow valley of ${name}`, () => {
    const data = observe(values);
    const magnitude = Math.max(-data.min, data.max);
    for (const bits of [8, 4]) {
      let best = Infinity;
      for (let threshold = 1.3 * magnitude; threshold > magnitude / 20; threshold *= 0.9985) {
        best = Math.min(best, trueError(values, symmetricLevels(threshold, bits, data.min < 0), 2));
      }
      const symmetric = searchThreshold(data, { ...SPEC, bits }).levels;
      const uniform = searchThreshold(data, { ...SPEC, bits, constraint: "uniform" }).levels;
      for (const levels of [symmetric, uniform]) {
        const found = trueError(values, levels, 2);
        assert.ok(found <= best * (1 + TOLERANCE[bits]), `${bits} bits: ${found} against ${best}`);
      }
    }
  });
}

const vectors = sharedPath("reference/mct_vectors.json");
Deno.test({
  name: "symmetric and uniform search against MCT's recorded choices (needs ../shared)",
  ignore: vectors === undefined,
  fn: () => {
    const sets = mctData();
    const choices = recordedChoices(vectors!);
    const worse: string[] = [];
    for (const { data, power, levels: theirs, ...spec } of choices) {
      const { levels } = searchThreshold(observe(sets[data]), { ...SPEC, ...spec, lpP: power });
      const ratio = trueError(sets[data], levels, power) / trueError(sets[data], theirs, power);
      const label = `${data} ${JSON.stringify(spec)}: ${(100 * (ratio - 1)).toFixed(3)} %`;
      if (ratio > 1) worse.push(label);
      // 20,000 elements in bins as wide as a step: nobody can know from the histogram. `--exact` can.
      assert.ok(ratio < 1.007, label);
    }
    assert.ok(choices.length >= 60, `${choices.length}`);
    assert.ok(worse.length <= 0.2 * choices.length, worse.join("\n"));
  },
});

Deno.test("an outlier doesn't trap the search in its valley (14 × worse in MCT)", () => {
  const values = draw("gaussian", 20000, 3).map((x) =>
    x / 2 ** Math.round(Math.log2(Math.abs(x) + 1))
  );
  values[19999] = 1000;
  const data = observe(values);
  for (const constraint of ["symmetric", "uniform"] as const) {
    const { levels, threshold } = searchThreshold(data, { ...SPEC, constraint, error: "mae" });
    const atRange = trueError(values, symmetricLevels(1000, 8, true), 1);
    assert.ok(threshold < 10, `${constraint}: ${threshold}`);
    assert.ok(trueError(values, levels, 1) < atRange / 10);
  }
});

Deno.test("uniform search moves an end that is zero in the data only where that helps, and a far one always", () => {
  const relu = observe(draw("relu", 20000, 5));
  assert.equal(searchThreshold(relu, { ...SPEC, constraint: "uniform" }).levels.low, 0);
  // Nearly all mass is positive; one element far below zero must not decide the range.
  const values = draw("relu", 20000, 6);
  const scale = values.reduce((max, x) => Math.max(max, x), 0);
  values[0] = -20 * scale;
  const { levels } = searchThreshold(observe(values), {
    ...SPEC,
    constraint: "uniform",
    error: "mae",
  });
  assert.ok(-levels.low * levels.step < scale, `${levels.low * levels.step}`);
});
