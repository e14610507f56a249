/** Factors of channels: a clear gain where a few reach far beyond the others, none where all are alike. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { indexGraph } from "../../../onnx/graph/graph_index.ts";
import { linearLayer } from "../../../onnx/layers/linear_layer.ts";
import { inferShapes } from "../../../onnx/operators/infer_shapes.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { type ChannelRows, migrationFactors } from "../../../pipeline/search/migration_factors.ts";
import { model, node, value } from "../../support/onnx.ts";
import { floats, gaussian, uniform } from "../../support/random.ts";

const [INPUT, OUTPUT, ROWS] = [32, 24, 200];
const bits = { activation: 8, weight: 8 };

function layerOf(weights: Float32Array) {
  const { graph } = model({
    nodes: [node("MatMul", ["x", "w"], ["y"])],
    inputs: [value("x", [ROWS, INPUT])],
    outputs: [value("y", [ROWS, OUTPUT])],
    initializers: [makeTensor("w", [INPUT, OUTPUT], weights)],
  });
  const index = indexGraph(graph);
  return linearLayer([...index.nodes][0], index, inferShapes(graph, index))!;
}

/** Rows whose channels are normal with these sizes: half give the reach, the others are tried. */
function seen(
  sizes: readonly number[],
  seed: number,
  normal: () => number = gaussian(seed),
): ChannelRows {
  const draw = () => floats(ROWS * INPUT, normal).map((x, i) => x * sizes[i % INPUT]);
  const reach = { low: new Float64Array(INPUT), high: new Float64Array(INPUT) };
  draw().forEach((x, i) => {
    reach.low[i % INPUT] = Math.min(reach.low[i % INPUT], x);
    reach.high[i % INPUT] = Math.max(reach.high[i % INPUT], x);
  });
  return { reach, rows: draw() };
}

const alike = Array<number>(INPUT).fill(1);
const outliers = (factor: number) => alike.map((size, i) => i % 16 === 3 ? factor * size : size);

/** Mean square error of x·W when rows are rounded after division by factors, and weights per output channel. */
function trueError({ reach, rows }: ChannelRows, weights: Float32Array, factors: Float64Array) {
  const low = reach.low.reduce((least, x, j) => Math.min(least, x / factors[j]), 0);
  const high = reach.high.reduce((most, x, j) => Math.max(most, x / factors[j]), 0);
  const step = (high - low) / 255;
  const steps = Array.from({ length: OUTPUT }, (_, o) => {
    let most = 0;
    for (let j = 0; j < INPUT; j++) {
      most = Math.max(most, Math.abs(weights[j * OUTPUT + o] * factors[j]));
    }
    return most / 127;
  });
  let sum = 0;
  for (let row = 0; row < ROWS; row++) {
    for (let o = 0; o < OUTPUT; o++) {
      let error = 0;
      for (let j = 0; j < INPUT; j++) {
        const [x, w] = [rows[row * INPUT + j], weights[j * OUTPUT + o]];
        const code = Math.round(Math.min(high, Math.max(low, x / factors[j])) / step) * step;
        error += code * Math.round(w * factors[j] / steps[o]) * steps[o] - x * w;
      }
      sum += error * error;
    }
  }
  return sum / ROWS / OUTPUT;
}

Deno.test("migrationFactors() makes outlier channels cost less, by the true error of the output", () => {
  const weights = floats(INPUT * OUTPUT, gaussian(1));
  const rows = seen(outliers(60), 2);
  const factors = migrationFactors(rows, [layerOf(weights)], bits)!;
  assert.ok(factors !== undefined);
  // Outliers are divided by more than the others.
  for (const j of [3, 19]) assert.ok(factors[j] > 3 * factors[0], `${factors[j]}, ${factors[0]}`);
  const none = trueError(rows, weights, new Float64Array(INPUT).fill(1));
  const after = trueError(rows, weights, factors);
  assert.ok(after < none / 2, `${after} after, ${none} before`);
});

Deno.test("migrationFactors() leaves channels alone that are alike", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), (seed) => {
      const layer = layerOf(floats(INPUT * OUTPUT, gaussian(seed)));
      // Bounded, so that rows reach no further than the reach that was seen.
      const random = uniform(seed + 1);
      const rows = seen(alike, 0, () => 2 * random() - 1);
      assert.equal(migrationFactors(rows, [layer], bits), undefined);
    }),
    { seed: 1, numRuns: 25 },
  );
});

Deno.test("migrationFactors() gives 1 to channels that are always 0, and float32 numbers above 0 to all", () => {
  const sizes = outliers(100).with(5, 0);
  const layer = layerOf(floats(INPUT * OUTPUT, gaussian(9)));
  const factors = migrationFactors(seen(sizes, 10), [layer], bits)!;
  assert.equal(factors[5], 1);
  for (const factor of factors) assert.ok(factor > 0 && Math.fround(factor) === factor);
});

Deno.test("migrationFactors() doesn't depend on the size of weights or activations", () => {
  const weights = floats(INPUT * OUTPUT, gaussian(1));
  const { reach, rows } = seen(outliers(60), 2);
  const once = migrationFactors({ reach, rows }, [layerOf(weights)], bits)!;
  const scaled = {
    reach: { low: reach.low.map((x) => 8 * x), high: reach.high.map((x) => 8 * x) },
    rows: rows.map((x) => 8 * x),
  };
  const again = migrationFactors(scaled, [layerOf(weights.map((w) => w / 4))], bits)!;
  once.forEach((factor, j) => assert.ok(Math.abs(again[j] / factor - 1) < 1e-6));
});
