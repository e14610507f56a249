import assert from "node:assert/strict";
import {
  searchWeightSteps,
  type WeightSearchInput,
} from "../../../pipeline/search/search_weights.ts";
import { roundHalfEven } from "../../../tpc/core/grid.ts";
import { floats, gaussian } from "../../support/random.ts";

const normal = gaussian(11);

function errorOf({ data, dims, axis }: WeightSearchInput, scales: Float32Array): number[] {
  const stride = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const errors = [...scales].fill(0);
  data.forEach((w, i) => {
    const c = Math.floor(i / stride) % dims[axis];
    errors[c] += (roundHalfEven(w / scales[c]) * scales[c] - w) ** 2;
  });
  return errors;
}

const CASES: [string, number[], number][] = [
  ["depthwise Conv", [8, 1, 3, 3], 0],
  ["pointwise Conv", [6, 40, 1, 1], 0],
  ["Gemm with transB", [5, 100], 0],
  ["Gemm without transB", [100, 5], 1],
];
for (const [name, dims, axis] of CASES) {
  for (const bits of [8, 4, 2]) {
    Deno.test(`searchWeightSteps() clips nothing and beats max / limit: ${name}, ${bits} bits`, () => {
      const data = floats(dims.reduce((a, b) => a * b), normal);
      const input = { data, dims, axis, bits };
      const limit = 2 ** (bits - 1) - 1;
      const { scales } = searchWeightSteps(input);
      const stride = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
      const max = new Float32Array(dims[axis]);
      data.forEach((w, i) => {
        const c = Math.floor(i / stride) % dims[axis];
        max[c] = Math.max(max[c], Math.abs(w));
        assert.ok(Math.abs(w) <= limit * scales[c] * (1 + 1e-12), "a weight is clipped");
      });
      const found = errorOf(input, scales);
      const plain = errorOf(input, max.map((m) => m / limit));
      found.forEach((error, c) => assert.ok(error <= plain[c] * (1 + 1e-6), `channel ${c}`));
      const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
      if (bits === 8) assert.ok(sum(found) < 0.97 * sum(plain), "the search gains nothing");
    });
  }
}

Deno.test("searchWeightSteps() finds the step of weights that lie on a grid", () => {
  // 10 · 0.03 is the largest: max / 127 fits badly, 0.3 / 100 = 0.003 fits all of them.
  const data = Float32Array.from([0.03, -0.06, 0.3, 0.15, 0, -0.27]);
  const { sqnr } = searchWeightSteps({ data, dims: [1, 6], axis: 0, bits: 8 });
  assert.ok(sqnr === null || sqnr > 60, `${sqnr} dB`);
});

Deno.test("searchWeightSteps() gives channels of zeros a step that keeps their bias precise", () => {
  const bias = { data: Float32Array.of(3, 0, 1e-6), inputScale: 2 ** -5 };
  const { scales, sqnr, widened } = searchWeightSteps({
    ...{ data: new Float32Array(6), dims: [3, 2], axis: 0, bits: 8, bias },
  });
  assert.equal(sqnr, null);
  assert.equal(widened, 0);
  bias.data.forEach((b, c) => {
    const step = Math.fround(bias.inputScale * scales[c]);
    const code = roundHalfEven(b / step);
    assert.ok(Math.abs(code) < 2 ** 31 && step > 0);
    assert.ok(Math.abs(code * step - b) <= 1e-6 * Math.abs(b));
  });
});

Deno.test("searchWeightSteps() widens a step whose bias would not fit into int32", () => {
  const bias = { data: Float32Array.of(1e6), inputScale: 2 ** -8 };
  const data = Float32Array.of(1e-4, -5e-5);
  const { scales, widened } = searchWeightSteps({ data, dims: [1, 2], axis: 0, bits: 8, bias });
  assert.equal(widened, 1);
  assert.ok(Math.abs(1e6 / Math.fround(bias.inputScale * scales[0])) < 2 ** 31 - 1);
});
