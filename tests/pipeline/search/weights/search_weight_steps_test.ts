import assert from "node:assert/strict";
import {
  searchWeightSteps,
  type WeightSearchInput,
} from "../../../../pipeline/search/weights/search_weight_steps.ts";
import { leastSteps } from "../../../../pipeline/search/weights/least_steps.ts";
import type { WeightTensor } from "../../../../pipeline/search/weights/channel_weights.ts";
import { type Levels, roundHalfEven } from "../../../../core/grid.ts";
import { CONSTRAINTS, type WeightSpec } from "../../../../core/types.ts";
import { floats, gaussian, uniform } from "../../../support/random.ts";
import { sharedPath } from "../../../support/shared.ts";
import { bestGrid, clipsNothing, gridError, POWERS } from "../../../support/weight_oracle.ts";

const normal = gaussian(11);
const random = uniform(12);
const laplace = () => (random() < 0.5 ? 1 : -1) * -Math.log(1 - random());
const DEFAULT: WeightSpec = {
  bits: 8,
  constraint: "symmetric",
  granularity: "channel",
  error: "mse",
  clip: false,
};

/** Search of one channel. */
function search(weights: Float32Array, spec: WeightSpec): Levels {
  const { levels } = searchWeightSteps({ data: weights, dims: [1, weights.length], axis: 0, spec });
  assert.equal(levels.length, 1);
  const { step, low, high } = levels[0];
  assert.equal(step, Math.fround(step));
  assert.ok(step > 0 && low <= 0 && high >= 0 && high > low);
  return levels[0];
}

const DATA: Record<string, Float32Array> = {
  gaussian: floats(150, normal),
  laplace: floats(150, laplace),
  "one outlier": Float32Array.from({ length: 150 }, (_, i) => i === 70 ? 40 : normal()),
  "all positive": floats(100, () => 0.2 + random()),
  "all negative": floats(100, () => -3 - random()),
  constant: new Float32Array(20).fill(0.37),
  "single weight": Float32Array.of(-0.731),
  "two weights": Float32Array.of(1e-4, -5e-5),
  depthwise: floats(9, normal),
  "another depthwise": floats(9, laplace),
  lattice: Float32Array.from({ length: 60 }, () => (Math.floor(random() * 140) - 70) * 0.01),
  "very small": floats(40, () => 1e-15 * normal()),
};

for (const constraint of CONSTRAINTS) {
  for (const error of ["mse", "mae", "lp"] as const) {
    Deno.test(`searchWeightSteps() is within 0.1 % of dense brute force: ${constraint}, ${error}`, () => {
      for (const [name, weights] of Object.entries(DATA)) {
        for (const bits of [8, 4, 3, 2]) {
          for (const clip of [true, false]) {
            const spec: WeightSpec = { ...DEFAULT, bits, constraint, error, lpP: 3, clip };
            const found = search(weights, spec);
            const power = POWERS[error] ?? 3;
            const largest = weights.reduce((max, w) => Math.max(max, Math.abs(w)), 0);
            const brute = bestGrid(weights, spec, power);
            // Where an error of zero is in reach, rounding of the step to float32 decides.
            const rounding = weights.length * (largest * 2 ** -22) ** power;
            const [a, b] = [gridError(weights, found, power), gridError(weights, brute, power)];
            assert.ok(
              a <= 1.001 * b + rounding,
              `${name}, ${bits} bits, clip ${clip}: ${a} for ${b}, ${
                JSON.stringify([found, brute])
              }`,
            );
            if (!clip) assert.ok(clipsNothing(weights, found), `${name}, ${bits} bits: clipped`);
          }
        }
      }
    });
  }

  Deno.test(`searchWeightSteps() takes the smallest grid that holds all weights: ${constraint}, noclipping`, () => {
    for (const [name, weights] of Object.entries(DATA)) {
      for (const bits of [8, 4, 2]) {
        for (const clip of [true, false]) {
          const found = search(weights, {
            ...DEFAULT,
            bits,
            constraint,
            error: "noclipping",
            clip,
          });
          assert.ok(clipsNothing(weights, found), `${name}, ${bits} bits`);
          const step = found.step * (constraint === "pot" ? 0.5 : 0.97);
          const lows = constraint === "uniform"
            ? Array.from({ length: 2 ** bits }, (_, i) => -i)
            : [found.low];
          for (const low of lows) {
            const smaller = { step, low, high: low + found.high - found.low };
            const isTight = bits > 4 || constraint === "pot";
            assert.ok(
              !isTight || !clipsNothing(weights, smaller, -1e-9),
              `${name}, ${bits} bits: loose`,
            );
          }
        }
      }
    }
  });

  Deno.test(`searchWeightSteps() handles zeros and subnormal weights: ${constraint}`, () => {
    for (const bits of [8, 2]) {
      for (const clip of [true, false]) {
        const spec: WeightSpec = { ...DEFAULT, bits, constraint, clip };
        const zeros = search(new Float32Array(9), spec);
        assert.equal(gridError(new Float32Array(9), zeros, 2), 0);
        const tiny = search(Float32Array.of(1e-45, -3e-42, 2e-40), spec);
        assert.equal(tiny.step, 2 ** -64);
      }
    }
  });

  Deno.test(`searchWeightSteps() widens a step whose bias would not fit into int32: ${constraint}`, () => {
    for (const granularity of ["channel", "tensor"] as const) {
      const bias = { data: Float32Array.of(1e6, 0), inputScale: 2 ** -8 };
      const data = Float32Array.of(1e-4, -5e-5, 1e-4, 3e-5);
      const spec = { ...DEFAULT, constraint, granularity };
      const tensor = { data, dims: [2, 2], axis: 0 };
      const { levels, widened } = searchWeightSteps({
        ...tensor,
        spec,
        floors: floors(tensor, bias),
      });
      assert.equal(widened, 1);
      const [{ step }] = levels;
      assert.ok(Math.abs(1e6 / Math.fround(bias.inputScale * step)) < 2 ** 31 - 1);
      assert.ok(step < 2.1 * 1e6 / bias.inputScale / 2 ** 31, "wider than needed");
      if (constraint === "pot") assert.ok(Number.isInteger(Math.log2(step)));
    }
  });
}

/** Floors of a layer whose bias alone counts. */
function floors(
  tensor: WeightTensor,
  { data, inputScale }: { data: Float32Array; inputScale: number },
) {
  return leastSteps(tensor, { op: "Conv", bias: data, inputScale, reach: 0 });
}

Deno.test("leastSteps() leaves room for bias, weights and what rounding adds, in each matrix and channel", () => {
  const random = gaussian(31);
  const cases: [op: string, dims: number[], axis: number][] = [
    ["Conv", [4, 3, 3, 3], 0],
    ["Gemm", [300, 4], 1],
    ["Gemm", [4, 300], 0],
    ["MatMul", [5, 300, 4], 2],
    ["MatMul", [300], 0],
  ];
  for (const [op, dims, axis] of cases) {
    for (const scale of [1, 1e-3, 1e-6]) {
      const data = floats(dims.reduce((a, b) => a * b, 1), random).map((w) => w * scale);
      const channels = dims.length === 1 ? 1 : dims[axis];
      const bias = floats(channels, random).map((b) => b * 1e4);
      const inputScale = 2 ** -10;
      const steps = leastSteps({ data, dims, axis }, { op, bias, inputScale, reach: 255 });
      assert.equal(steps.length, channels);
      const stride = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
      const matrix = dims.length === 3 ? dims[1] * dims[2] : data.length;
      for (let c = 0; c < channels; c++) {
        for (let start = 0; start < data.length; start += matrix) {
          let sum = Math.abs(Math.round(bias[c] / (inputScale * steps[c])));
          data.subarray(start, start + matrix).forEach((w, i) => {
            if (dims.length === 1 || Math.floor(i / stride) % channels === c) {
              // Half a step for the code, half a step for the correction of the bias.
              sum += 255 * (Math.round(Math.abs(w) / steps[c]) + 0.5);
            }
          });
          assert.ok(sum < 2 ** 31 - 1, `${op} [${dims}] ${scale}: ${sum}`);
        }
      }
    }
  }
});

Deno.test("searchWeightSteps() gives channels of zeros a step that keeps their bias precise", () => {
  for (const constraint of CONSTRAINTS) {
    const bias = { data: Float32Array.of(3, 0, 1e-6), inputScale: 2 ** -5 };
    const tensor = { data: new Float32Array(6), dims: [3, 2], axis: 0 };
    const { levels, sqnr, widened } = searchWeightSteps({
      ...tensor,
      spec: { ...DEFAULT, constraint },
      floors: floors(tensor, bias),
    });
    assert.equal(sqnr, null);
    assert.equal(widened, 0);
    bias.data.forEach((b, c) => {
      const step = Math.fround(bias.inputScale * levels[c].step);
      const code = roundHalfEven(b / step);
      assert.ok(Math.abs(code) < 2 ** 31 && step > 0);
      assert.ok(Math.abs(code * step - b) <= 1e-6 * Math.abs(b));
    });
  }
});

const SHAPES: [string, number[], number][] = [
  ["depthwise Conv", [8, 1, 3, 3], 0],
  ["pointwise Conv", [6, 40, 1, 1], 0],
  ["Gemm with transB", [5, 100], 0],
  ["Gemm without transB", [100, 5], 1],
];
for (const [name, dims, axis] of SHAPES) {
  Deno.test(`searchWeightSteps() takes channels along their axis, and one step for the tensor: ${name}`, () => {
    const data = floats(dims.reduce((a, b) => a * b), normal);
    const stride = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    for (const constraint of CONSTRAINTS) {
      const input: WeightSearchInput = { data, dims, axis, spec: { ...DEFAULT, constraint } };
      const { levels, sqnr } = searchWeightSteps(input);
      const noise = levels.map((grid, c) => {
        const channel = data.filter((_, i) => Math.floor(i / stride) % dims[axis] === c);
        assert.deepEqual(search(channel, input.spec), grid);
        return gridError(channel, grid, 2);
      }).reduce((a, b) => a + b);
      const signal = data.reduce((sum, w) => sum + w * w, 0);
      assert.ok(Math.abs(sqnr! - 10 * Math.log10(signal / noise)) < 1e-9);
      const shared = searchWeightSteps({
        ...input,
        spec: { ...input.spec, granularity: "tensor" },
      });
      assert.equal(shared.levels.length, 1);
      assert.ok(clipsNothing(data, shared.levels[0]));
      assert.ok(shared.sqnr! <= sqnr! + 1e-9);
    }
  });
}

for (const power of [2, 1, 4]) {
  Deno.test(`searchWeightSteps() of 200,000 weights is within 0.1 % of a dense search: p = ${power}`, () => {
    const data = floats(200_000, laplace);
    data[7] = 60;
    for (const constraint of ["symmetric", "uniform"] as const) {
      for (const bits of [8, 4]) {
        const spec: WeightSpec = {
          ...DEFAULT,
          ...{ bits, constraint, granularity: "tensor", error: "lp", lpP: power, clip: true },
        };
        const { levels: [found] } = searchWeightSteps({ data, dims: [100, 2000], axis: 0, spec });
        const error = gridError(data, found, power);
        for (let i = -60; i <= 60; i++) {
          const step = Math.fround(found.step * 1.002 ** i * (1 + 1e-4 * random()));
          assert.ok(error <= 1.001 * gridError(data, { ...found, step }, power), `${bits}, ${i}`);
        }
        for (const ratio of [0.25, 0.35, 0.5, 0.7, 1.4, 2]) {
          const step = found.step * ratio;
          assert.ok(error <= gridError(data, { ...found, step }, power), `${bits}, × ${ratio}`);
        }
      }
    }
  });
}

const vectors = sharedPath("reference/mct_vectors.json");
Deno.test({
  name: "searchWeightSteps() is never worse than MCT's recorded choices for its weights" +
    (vectors === undefined ? " (skipped: ../shared is absent)" : ""),
  ignore: vectors === undefined,
  fn: () => {
    const [rows, columns] = [16, 3];
    const data = Float32Array.from({ length: rows * columns }, (_, index) => {
      const [i, j] = [Math.floor(index / columns), index % columns];
      return 0.1 * ((7 * i + 3 * j) % 11 - 5) * (1 + j);
    });
    const { weights16x3 } = JSON.parse(Deno.readTextFileSync(vectors!));
    let compared = 0;
    for (const [key, recorded] of Object.entries(weights16x3 as Record<string, Recorded>)) {
      const [bitsText, whose, kind, method] = key.split("/");
      if (method !== "MSE" && method !== "MAE") continue;
      const bits = Number(bitsText);
      const constraint = ({ pot: "pot", sym: "symmetric", uni: "uniform" } as const)[kind]!;
      const error = method === "MSE" ? "mse" : "mae";
      const power = POWERS[error]!;
      const granularity = whose === "t" ? "tensor" : "channel";
      const spec: WeightSpec = { bits, constraint, error, granularity, clip: true };
      const { levels } = searchWeightSteps({ data, dims: [rows, columns], axis: 1, spec });
      levels.forEach((found, c) => {
        const weights = whose === "t" ? data : data.filter((_, i) => i % columns === c);
        const theirs = mctGrid(recorded, c, bits);
        // On equal terms: MCT's symmetric grid has the level −2^(b−1), ours doesn't. Its threshold is
        // judged on our levels.
        const judged = constraint === "symmetric" ? { ...theirs, low: -theirs.high } : theirs;
        const [a, b] = [found, judged].map((grid) => gridError(weights, grid, power));
        // Steps are float32, MCT's float64: of two grids that are equally good ours may be off by that.
        assert.ok(a <= b * (1 + 2 ** -23), `${key}, channel ${c}: ${a} for ${b}`);
        compared++;
      });
    }
    assert.equal(compared, 72);
  },
});

type Recorded = Record<"threshold" | "range_min" | "range_max", number[]>;

/** The grid that MCT quantizes with. */
function mctGrid({ threshold, range_min, range_max }: Recorded, c: number, bits: number): Levels {
  const half = 2 ** (bits - 1);
  if (threshold !== undefined) {
    return { step: threshold[c] / half, low: -half, high: half - 1 };
  }
  const [a, b] = [Math.min(range_min[c], 0), Math.max(range_max[c], 0)];
  const step = (b - a) / (2 ** bits - 1);
  const low = roundHalfEven(a / step) + 0;
  return { step, low, high: low + 2 ** bits - 1 };
}
