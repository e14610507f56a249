/** What counts as lost: each limit alone. */
import assert from "node:assert/strict";
import type { OutputFigures } from "../../../pipeline/evaluate/output_figures.ts";
import {
  DEFAULT_LIMITS,
  limitsOf,
  lossesOf,
  lossesOfEvaluation,
} from "../../../pipeline/verdict/limits.ts";

const good: OutputFigures = {
  output: "y",
  kind: "classes",
  sqnr: 30,
  medianSqnr: 31,
  cosine: 0.999,
  worstSlice: null,
  flips: 0.01,
  rows: 100,
  kl: 0.001,
  overlap: null,
  equal: null,
  isFinite: true,
};

const lost = (change: Partial<OutputFigures>) =>
  lossesOf([{ ...good, ...change }], DEFAULT_LIMITS).map(({ what }) => what);

Deno.test("a good output has lost nothing", () => assert.deepEqual(lost({}), []));

for (
  const [name, change, words] of [
    ["too little SQNR", { sqnr: 14.9 }, /^14\.9 dB \(at least 15\)$/],
    ["a median sample that an outlier hides", { medianSqnr: 3 }, /median sample.*30\.0 dB/],
    ["a slice with as much error as content", {
      worstSlice: { axis: 1, index: 4, sqnr: 0 },
    }, /^slice 4 of axis 1/],
    ["another class too often", { flips: 0.06 }, /^6\.0 % get another class/],
    ["NaN", { isFinite: false }, /^NaN or infinity/],
    [
      "an embedding's direction",
      { kind: "embedding", flips: null, cosine: 0.92 },
      /^cosine 0\.920/,
    ],
    ["integers that differ", { kind: "codes", equal: 0.5, sqnr: null }, /^50\.0 % of its integers/],
  ] as const
) {
  Deno.test(`${name} is a loss`, () => {
    const found = lost(change as Partial<OutputFigures>);
    assert.equal(found.length, 1);
    assert.match(found[0], words);
  });
}

Deno.test("flips of a few rows say nothing", () =>
  assert.deepEqual(lost({ flips: 0.5, rows: 8 }), []));

Deno.test("equal outputs have lost nothing", () =>
  assert.deepEqual(lost({ sqnr: null, medianSqnr: null }), []));

Deno.test("wishes set the limits", () => {
  const limits = limitsOf({ leastSqnr: 35, mostFlips: 0.5 });
  assert.equal(lossesOf([good], limits).length, 2);
  assert.deepEqual(limitsOf({}), DEFAULT_LIMITS);
});

Deno.test("more than three points of top-1 are lost points, on samples enough", () => {
  const of = (samples: number, top1: number) =>
    lossesOfEvaluation({ top1: 0.9, samples }, { top1, outputs: [good] }, DEFAULT_LIMITS);
  assert.equal(of(100, 0.875).length, 0);
  assert.match(of(100, 0.86)[0].what, /^4\.0 points of top-1/);
  assert.equal(of(10, 0.5).length, 0);
});
