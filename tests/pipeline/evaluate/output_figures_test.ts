/** Figures of outputs by what they hold, against values computed by hand. */
import assert from "node:assert/strict";
import type { Tensor } from "../../../core/tensor.ts";
import { OutputSums } from "../../../pipeline/evaluate/output_figures.ts";

function figuresOf(name: string, dims: readonly number[], float: number[], found: number[]) {
  const sums = new OutputSums(name);
  const tensor = (data: number[]): Tensor => ({ data: Float32Array.from(data), dims });
  sums.add(tensor(float), tensor(found), dims[0]);
  return sums.figures();
}

function near(found: number | null, expected: number, digits = 4) {
  assert.equal(found?.toFixed(digits), expected.toFixed(digits));
}

Deno.test("scores of classes have flips, KL and SQNR", () => {
  const { kind, flips, rows, kl, sqnr, cosine } = figuresOf("logits", [2, 3], [3, 0, 0, 0, 4, 0], [
    3,
    0,
    1,
    5,
    4,
    0,
  ]);
  assert.deepEqual([kind, flips, rows], ["classes", 0.5, 2]);
  near(sqnr, 10 * Math.log10(25 / 26));
  near(cosine, (3 / Math.sqrt(10) + 4 / Math.sqrt(41)) / 2);
  const softmax = (x: number[]) => {
    const sum = x.reduce((all, v) => all + Math.exp(v), 0);
    return x.map((v) => Math.exp(v) / sum);
  };
  const klOf = (f: number[], q: number[]) => {
    const [p, r] = [softmax(f), softmax(q)];
    return p.reduce((all, v, i) => all + v * Math.log(v / r[i]), 0);
  };
  near(kl, (klOf([3, 0, 0], [3, 0, 1]) + klOf([0, 4, 0], [5, 4, 0])) / 2);
});

Deno.test("probabilities are known by their sums, and have the KL of what they are", () => {
  const { kind, kl, worstSlice } = figuresOf("p", [1, 2], [0.5, 0.5], [0.25, 0.75]);
  assert.equal(kind, "probabilities");
  near(kl, 0.5 * Math.log(2) + 0.5 * Math.log(0.5 / 0.75));
  assert.equal(worstSlice, null);
});

Deno.test("vectors of length 1 are embeddings, by name as well", () => {
  assert.equal(figuresOf("out", [1, 2], [0.6, 0.8], [0.6, 0.8]).kind, "embedding");
  assert.equal(figuresOf("sentence_embedding", [1, 2], [3, 4], [3, 4]).kind, "embedding");
  assert.equal(figuresOf("out", [1, 2], [3, 4], [3, 4]).kind, "classes");
});

Deno.test("masks and scores of detections are known by their range, and overlap above one half", () => {
  const { kind, overlap } = figuresOf("mask", [1, 1, 4], [1, 1, 0, 0.9], [1, 0, 1, 0.6]);
  assert.deepEqual([kind, overlap], ["scores", 2 / 4]);
});

Deno.test("the slice that a large neighbour hides is shown", () => {
  // Channel 0 is large and exact, channel 1 small and lost: 40 dB of the whole, 0 dB of the slice.
  const { sqnr, worstSlice } = figuresOf("boxes", [1, 2, 2], [100, 100, 1, 1], [100, 100, 0, 0]);
  assert.ok(sqnr! > 39);
  assert.deepEqual(worstSlice, { axis: 1, index: 1, sqnr: 0 });
});

Deno.test("the median sample tells what an outlier hides", () => {
  const sums = new OutputSums("y");
  const add = (float: number[], found: number[]) =>
    sums.add({ data: Float32Array.from(float), dims: [1, 2] }, {
      data: Float32Array.from(found),
      dims: [1, 2],
    }, 1);
  add([1e6, 0], [1e6, 0.5]);
  for (let i = 0; i < 4; i++) add([1, -1], [0, 0]);
  const { sqnr, medianSqnr } = sums.figures();
  assert.ok(sqnr! > 100);
  assert.equal(medianSqnr, 0);
});

Deno.test("integers are equal or not", () => {
  const sums = new OutputSums("ids");
  const ids = (data: bigint[]) =>
    ({ data: BigInt64Array.from(data), dims: [1, 4] }) as unknown as Tensor;
  sums.add(ids([1n, 2n, 3n, 4n]), ids([1n, 2n, 3n, 5n]), 1);
  const { kind, equal, sqnr, flips } = sums.figures();
  assert.deepEqual([kind, equal, sqnr, flips], ["codes", 0.75, null, null]);
});

Deno.test("infinity where float gives a number is said; where float has none itself nothing is compared", () => {
  assert.equal(figuresOf("y", [1, 2], [1, 2], [1, Infinity]).isFinite, false);
  const masked = figuresOf("y", [1, 2], [1, -Infinity], [1, 0]);
  assert.deepEqual([masked.isFinite, masked.sqnr], [true, null]);
});

Deno.test("an axis whose size changes from sample to sample has no slices", () => {
  const sums = new OutputSums("y");
  for (const size of [2, 3]) {
    const ones = { data: new Float32Array(2 * size).fill(1), dims: [1, size, 2] };
    sums.add(ones, { ...ones, data: ones.data.map((x, i) => i < 2 ? x : 0) }, 1);
  }
  assert.equal(sums.figures().worstSlice?.axis, 2);
});

Deno.test("rows of an image with nothing in them are no slices, channels are, in front and behind", () => {
  const map = (wrong: number) =>
    figuresOf(
      "map",
      [1, 2, 3, 3],
      [5, 5, 5, 5, 5, 5, 1e-3, 1e-3, 1e-3, ...Array(9).fill(1)],
      [5, 5, 5, 5, 5, 5, 2e-3, 2e-3, 2e-3, ...Array(9).fill(wrong)],
    ).worstSlice;
  assert.equal(map(1)?.axis, 1);
  assert.deepEqual(map(0), { axis: 1, index: 1, sqnr: 0 });
  const behind = figuresOf("map", [1, 3, 4, 2], Array(24).fill(1), [
    ...Array(8).fill(0),
    ...Array(16).fill(1),
  ]);
  assert.equal(behind.worstSlice?.axis, 3);
});
