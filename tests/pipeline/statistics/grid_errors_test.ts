import assert from "node:assert/strict";
import {
  absoluteError,
  boundedError,
  squaredError,
} from "../../../pipeline/statistics/grid_errors.ts";
import type { Levels } from "../../../core/grid.ts";
import { cutBounds, estimateCut } from "../../../pipeline/statistics/stop_loss.ts";
import { valueBins } from "../../../pipeline/statistics/value_bins.ts";
import { createHistogramCore } from "../../../wasm/mod.ts";
import { DISTRIBUTIONS, draw } from "../../support/distributions.ts";
import { uniform } from "../../support/random.ts";
import { trueError } from "../../support/true_error.ts";

const core = await createHistogramCore();

function binsOf(values: Float32Array) {
  const accumulator = core.create();
  accumulator.observe(values);
  return valueBins(accumulator.data());
}

/** A grid of any kind around the range of the data. */
function randomLevels(values: Float32Array, random: () => number): Levels {
  let [min, max] = [0, 0];
  for (const x of values) [min, max] = [Math.min(min, x), Math.max(max, x)];
  const bits = 2 + Math.floor(random() * 8);
  const reach = Math.max(max, -min) * 2 ** (random() * 5 - 4);
  const codes = 2 ** bits;
  const kind = Math.floor(random() * 3);
  if (kind === 0) return { step: Math.fround(reach / codes), low: 0, high: codes - 1 };
  if (kind === 1) {
    return { step: Math.fround(reach / (codes / 2)), low: -codes / 2, high: codes / 2 - 1 };
  }
  const zero = Math.floor(random() * codes);
  return {
    step: Math.fround(reach / codes * (1 + random())),
    low: -zero,
    high: codes - 1 - zero || 1,
  };
}

Deno.test("boundedError() holds the true error of 2,700 random cases and is narrow", () => {
  const random = uniform(42);
  const widths: Record<string, number[]> = {};
  for (const name of DISTRIBUTIONS) {
    for (let seed = 0; seed < 20; seed++) {
      const values = draw(name, 200 + Math.floor(random() * 20000), seed * 7919 + 1);
      const bins = binsOf(values);
      for (let i = 0; i < 5; i++) {
        const levels = randomLevels(values, random);
        for (const p of [1, 2, 1.5 + 3 * random()]) {
          const truth = values.length * trueError(values, levels, p);
          const { estimate, lower, upper } = boundedError(bins, levels, p);
          const label = `${name}, seed ${seed}, p ${p}, ${
            JSON.stringify(levels)
          }: ${lower} ${truth} ${upper}`;
          assert.ok(lower <= truth * (1 + 1e-12) && truth <= upper * (1 + 1e-12), label);
          assert.ok(lower <= estimate && estimate <= upper, label);
          if (truth > 0) {
            (widths[p <= 2 && Number.isInteger(p) ? `p = ${p}` : "other p"] ??= []).push(
              (upper - lower) / truth,
            );
          }
        }
      }
    }
  }
  for (const [name, all] of Object.entries(widths)) {
    all.sort((a, b) => a - b);
    const [median, most] = [all[all.length >> 1], all[Math.floor(all.length * 0.95)]];
    const text = `    width of the interval, ${name}: median ${(100 * median).toFixed(2)} %, ` +
      `95 % below ${(100 * most).toFixed(1)} %\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(text));
    assert.ok(median < 0.02, `${name}: median ${median}`);
  }
});

Deno.test("squaredError() and absoluteError() agree with the estimates of boundedError()", () => {
  const random = uniform(43);
  for (const name of DISTRIBUTIONS) {
    for (let seed = 0; seed < 12; seed++) {
      const values = draw(name, 5000, seed * 31 + 5);
      const bins = binsOf(values);
      const levels = randomLevels(values, random);
      for (const [fast, p] of [[squaredError, 2], [absoluteError, 1]] as const) {
        const { lower, upper } = boundedError(bins, levels, p);
        const error = fast(bins, levels);
        const slack = 1e-6 * upper;
        assert.ok(
          error >= lower - slack && error <= upper + slack,
          `${name} ${seed} p ${p}: ${lower} ${error} ${upper}`,
        );
      }
    }
  }
});

Deno.test("boundedError() holds for grids of 10 to 16 bits, where bins are wider than steps", () => {
  const random = uniform(44);
  for (const name of DISTRIBUTIONS) {
    for (let seed = 0; seed < 6; seed++) {
      const values = draw(name, 3000, seed * 17 + 3);
      const bins = binsOf(values);
      const reach = values.reduce((max, x) => Math.max(max, Math.abs(x)), 0) * (0.3 + random());
      const codes = 2 ** (10 + seed);
      const levels = { step: Math.fround(reach * 2 / codes), low: -codes / 2, high: codes / 2 - 1 };
      for (const p of [1, 2, 3]) {
        const truth = values.length * trueError(values, levels, p);
        const { lower, upper } = boundedError(bins, levels, p);
        assert.ok(
          lower <= truth * (1 + 1e-12) && truth <= upper * (1 + 1e-12),
          `${name} ${seed} ${p}: ${lower} ${truth} ${upper}`,
        );
      }
      const truth = values.length * trueError(values, levels, 2);
      const estimate = squaredError(bins, levels);
      assert.ok(
        Math.abs(estimate / truth - 1) < 0.25 || truth === 0 || name === "lattice",
        `${name} ${seed}: ${estimate} ${truth}`,
      );
    }
  }
});

Deno.test("cutBounds() are sharp: two- and three-point variables reach them", () => {
  // One bin of 1 … 1 + 2^-8 with elements at both ends and in the middle.
  const width = 2 ** -8;
  for (
    const [weights, at] of [[[1, 6, 1], 0.5], [[3, 0, 1], 0.3], [[0, 5, 2], 0.9], [
      [2, 1, 0],
      0.1,
    ]] as const
  ) {
    const points = [1, 1 + width / 2, 1 + width - 2 ** -23];
    const values = Float32Array.from(points.flatMap((x, i) => Array(weights[i]).fill(x)));
    const bins = binsOf(values);
    const c = 1 + at * width;
    const truth = values.reduce((sum, x) => sum + Math.max(0, x - c), 0);
    const { lower, upper } = cutBounds(bins, 0, c);
    const slack = 1e-9 * width * values.length;
    assert.ok(lower <= truth + slack && truth <= upper + slack, `${lower} ${truth} ${upper}`);
    const estimate = estimateCut(bins, 0, c);
    assert.ok(lower <= estimate && estimate <= upper);
  }
});
