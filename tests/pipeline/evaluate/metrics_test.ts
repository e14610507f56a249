import assert from "node:assert/strict";
import { evaluate } from "../../../pipeline/evaluate/evaluate.ts";
import { addSample, argMax, emptyMetrics } from "../../../pipeline/evaluate/metrics.ts";
import type { InferenceSession } from "../../../pipeline/inference/session.ts";

Deno.test("addSample() counts hits, agreement and noise", () => {
  const metrics = emptyMetrics();
  const reference = Float32Array.of(0, 3, 1, 0, 0, 0);
  addSample(metrics, Float32Array.of(0, 2, 1, 0, 0, 0), reference, 1);
  addSample(metrics, Float32Array.of(9, 8, 7, 6, 5, 4), reference, 4);
  addSample(metrics, Float32Array.of(9, 8, 7, 6, 5, 4), reference, 5);
  addSample(metrics, reference, reference, undefined);
  assert.deepEqual([
    metrics.samples,
    metrics.labelled,
    metrics.top1,
    metrics.top5,
    metrics.agreement,
  ], [4, 3, 1, 2, 2]);
  assert.equal(metrics.signal, 40);
  assert.equal(metrics.noise, 1 + 2 * (81 + 25 + 36 + 36 + 25 + 16));
  assert.deepEqual(metrics.byClass.get(1), { samples: 1, top1: 1 });
  assert.deepEqual(metrics.byClass.get(4), { samples: 1, top1: 0 });
});

Deno.test("argMax() takes the first of equal values", () => {
  assert.equal(argMax(Float32Array.of(1, 5, 5)), 1);
});

Deno.test("addSample() counts a label beyond the outputs as a miss", () => {
  const metrics = emptyMetrics();
  addSample(metrics, Float32Array.of(1, 2), Float32Array.of(1, 2), 7);
  assert.deepEqual([metrics.top1, metrics.top5, metrics.labelled], [0, 0, 1]);
});

Deno.test("addSample() takes −Infinity in both for neither signal nor noise, in one for noise", () => {
  const metrics = emptyMetrics();
  const masked = Float32Array.of(2, -Infinity);
  addSample(metrics, Float32Array.of(1, -Infinity), masked, undefined);
  assert.deepEqual([metrics.signal, metrics.noise], [4, 1]);
  addSample(metrics, Float32Array.of(2, -99), masked, undefined);
  assert.ok(!Number.isFinite(metrics.noise));
});

Deno.test("evaluate() refuses outputs that are finite in one model only, naming model and samples", async () => {
  const constant = (value: number): InferenceSession => ({
    ...{ inputs: ["x"], outputs: ["y"], endProfiling: () => "" },
    run: () => Promise.resolve(new Map([["y", { data: Float32Array.of(value, 1), dims: [2, 1] }]])),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
  const samples = ["a", "b"].map((id, index) => ({
    ...{ index, id },
    input: { data: Float32Array.of(1), dims: [1] },
  }));
  const run = (first: number, second: number) =>
    evaluate(
      [{ name: "f", session: constant(first) }, { name: "q", session: constant(second) }],
      ReadableStream.from(samples),
      { inputs: [{ name: "x" }], batch: 2 },
    );
  assert.equal((await run(-Infinity, -Infinity))[1].sqnr, null);
  await assert.rejects(run(NaN, 3), /comparing q with the first model on "a" to "b"/);
});
