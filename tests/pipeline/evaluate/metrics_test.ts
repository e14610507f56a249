import assert from "node:assert/strict";
import { evaluate } from "../../../pipeline/evaluate/evaluate.ts";
import { addSample, argMax, emptyMetrics } from "../../../pipeline/evaluate/metrics.ts";
import type { InferenceSession } from "../../../pipeline/inference/runtime.ts";

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

Deno.test("addSample() takes the cross-entropy of logits, and of probabilities as they are", () => {
  const logits = Float32Array.of(2, 0, -1);
  const sum = Math.exp(2) + 1 + Math.exp(-1);
  const of = (outputs: Float32Array, label: number, reference = outputs) => {
    const metrics = emptyMetrics();
    const hit = addSample(metrics, outputs, reference, label);
    return [metrics.loss, hit] as const;
  };
  assert.deepEqual(of(logits, 0), [Math.log(sum) - 2, true]);
  const [loss, hit] = of(logits, 2);
  assert.ok(Math.abs(loss - Math.log(sum) - 1) < 1e-12);
  assert.equal(hit, false);
  // Beyond the range of exp.
  assert.equal(of(Float32Array.of(1000, 0), 0)[0], 0);
  const probabilities = Float32Array.of(0.5, 0.25, 0.25);
  assert.equal(of(probabilities, 1)[0], Math.log(4));
  // What quantization makes 0 isn't infinitely wrong; the reference says what outputs are.
  assert.equal(of(Float32Array.of(1, 0, 0), 1, probabilities)[0], -Math.log(1e-7));
  assert.equal(of(logits, 3)[0], Infinity);
});

Deno.test("addSample() adds up cosines", () => {
  const metrics = emptyMetrics();
  addSample(metrics, Float32Array.of(3, 4), Float32Array.of(6, 8), undefined);
  addSample(metrics, Float32Array.of(0, 2), Float32Array.of(1, 0), undefined);
  addSample(metrics, Float32Array.of(1, 1), Float32Array.of(-1, -1), undefined);
  assert.ok(Math.abs(metrics.cosine) < 1e-12, `${metrics.cosine}`);
  addSample(metrics, Float32Array.of(0, 0), Float32Array.of(0, 0), undefined);
  addSample(metrics, Float32Array.of(0, 0), Float32Array.of(0, 1), undefined);
  assert.ok(Math.abs(metrics.cosine - 1) < 1e-12);
});
