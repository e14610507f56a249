/** Rounding by second moments against brute force and against nearest rounding. */
import assert from "node:assert/strict";
import { planRounding, roundRow } from "../../../pipeline/rounding/second_order.ts";
import { gaussian } from "../../support/random.ts";

/** Moments of correlated inputs. */
function drawMoments(size: number, rows: number, normal: () => number): Float64Array {
  const matrix = new Float64Array(size * size);
  for (let r = 0; r < rows; r++) {
    const common = normal();
    const x = Float64Array.from({ length: size }, (_, i) => common * (1 + i % 3) + normal());
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) matrix[i * size + j] += x[i] * x[j] / rows;
    }
  }
  return matrix;
}

function errorOf(matrix: Float64Array, errors: readonly number[]): number {
  const size = errors.length;
  let sum = 0;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) sum += errors[i] * matrix[i * size + j] * errors[j];
  }
  return sum;
}

Deno.test("rounding by second moments finds the best codes of few weights", () => {
  const normal = gaussian(4);
  let [best, found, nearest] = [0, 0, 0];
  for (let trial = 0; trial < 60; trial++) {
    const size = 7;
    const matrix = drawMoments(size, 200, normal);
    const weights = Float64Array.from({ length: size }, () => normal());
    const scales = new Float64Array(size).fill(0.4);
    const row = { weights, scales, low: -7, high: 7 };
    const { codes } = roundRow(planRounding({ size, matrix }), row);
    const error = (code: ArrayLike<number>) =>
      errorOf(matrix, Array.from(weights, (w, i) => w - code[i] * scales[i]));
    found += error(codes);
    nearest += error(weights.map((w) => Math.round(w / 0.4)));
    let least = Infinity;
    for (let bits = 0; bits < 3 ** size; bits++) {
      const code = Array.from(
        weights,
        (w, i) => Math.round(w / 0.4) + Math.floor(bits / 3 ** i) % 3 - 1,
      );
      if (code.every((c) => c >= -7 && c <= 7)) least = Math.min(least, error(code));
    }
    best += least;
  }
  // The damping moves the optimum a little; codes further away than a step can be better still.
  assert.ok(found <= best * 1.01, `${found}, best ${best}, nearest ${nearest}`);
  assert.ok(found < nearest / 3, `${found}, nearest ${nearest}`);
});

Deno.test("rounding by moments without correlation is nearest rounding, codes stay in range", () => {
  const normal = gaussian(5);
  const size = 40;
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i++) matrix[i * size + i] = i === 3 ? 0 : 1 + i;
  const weights = Float64Array.from({ length: size }, () => 3 * normal());
  const scales = Float64Array.from({ length: size }, (_, i) => 0.5 + i % 2);
  const { codes } = roundRow(planRounding({ size, matrix }), { weights, scales, low: -3, high: 4 });
  assert.deepEqual(
    [...codes],
    Array.from(weights, (w, i) => Math.min(4, Math.max(-3, Math.round(w / scales[i]))) + 0),
  );
});

Deno.test("inputs that are always zero leave their weights to nearest rounding", () => {
  const { codes } = roundRow(planRounding({ size: 2, matrix: new Float64Array(4) }), {
    ...{ weights: Float64Array.of(0.6, -1.2), scales: Float64Array.of(1, 1), low: -8, high: 7 },
  });
  assert.deepEqual([...codes], [1, -1]);
});
