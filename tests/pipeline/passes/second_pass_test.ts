/** The second pass: proof of what the statistics say, and exact choice where they leave something open. */
import type { Statistics } from "../../../pipeline/statistics/statistics.ts";
import assert from "node:assert/strict";
import { calibrate } from "../../../pipeline/passes/calibrate.ts";
import { decide } from "../../../pipeline/search/decide.ts";
import { exactChoices, trueErrors, verify } from "../../../pipeline/passes/second_pass.ts";
import { shortlist } from "../../../pipeline/search/shortlist.ts";
import { searchThreshold } from "../../../pipeline/search/search_threshold.ts";
import type { Constraint, ErrorMethod, SettledSpec } from "../../../core/types.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { createDirectErrorsCore } from "../../../wasm/mod.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";
import { mctData, recordedChoices } from "../../support/mct_data.ts";
import { observe } from "../../support/observe.ts";
import { sharedPath } from "../../support/shared.ts";

const float = await demoModel();
const preset = presetTarget("default")!;
const COUNT = 24;
const pass = { model: float.prepared, target: preset, batch: 8 };
let statistics: Statistics;

Deno.test.beforeAll(async () => {
  statistics = await calibrate(await demoSamples(COUNT), {
    ...pass,
    modelSha256: float.sha256,
  });
});

const targetFor = (error: ErrorMethod, constraint: Constraint) => ({
  ...preset,
  activation: { ...preset.activation, error, constraint },
});

for (const constraint of ["pot", "symmetric", "uniform"] as const) {
  for (const error of ["mse", "mae"] as const) {
    Deno.test(`verify() confirms every error of ${error} with ${constraint}`, async () => {
      const target = targetFor(error, constraint);
      const manifest = await decide({ statistics, statisticsSha256: "0".repeat(64), target });
      const checked = await verify(manifest, await demoSamples(COUNT), {
        ...pass,
        target,
        batch: 5,
      });
      assert.equal(checked.length, statistics.tensors.length);
      for (const { tensor, reported, found, isWithin } of checked) {
        assert.ok(isWithin, `${tensor}: ${reported}, ${found}`);
        if (constraint === "pot") assert.ok(Math.abs(found / reported - 1) < 1e-11, `${tensor}`);
      }
    });
  }
}

Deno.test("verify() finds out a manifest of other data", async () => {
  const manifest = await decide({ statistics, statisticsSha256: "0".repeat(64), target: preset });
  const checked = await verify(manifest, await demoSamples(COUNT - 1), pass);
  assert.ok(checked.every(({ isWithin }) => !isWithin));
});

Deno.test("exactChoices() are never worse on the elements than the search, and sometimes better", async () => {
  const target = targetFor("mse", "symmetric");
  const options = { ...pass, target };
  const choices = await exactChoices(statistics, await demoSamples(COUNT), options);
  assert.equal(choices.size, statistics.tensors.length);
  const plain = new Map(
    statistics.tensors.map(({ tensor, histogram }) =>
      [tensor, searchThreshold(histogram, { ...target.activation }).levels] as const
    ),
  );
  const grids = new Map(
    [...choices].map(([tensor, levels]) => [tensor, [levels, plain.get(tensor)!]]),
  );
  const errors = await trueErrors(grids, await demoSamples(COUNT), options, "test");
  let better = 0;
  for (const [tensor, [chosen, searched]] of errors) {
    assert.ok(chosen.squared <= searched.squared * (1 + 1e-12), tensor);
    if (chosen.squared < searched.squared) better++;
  }
  assert.ok(better > 0, "the second pass changed nothing");
  const manifest = await decide({ statistics, statisticsSha256: "0".repeat(64), target, choices });
  assert.match(manifest.activations[0].reason.join(), /second pass/);
  assert.ok(
    (await verify(manifest, await demoSamples(COUNT), options)).every(({ isWithin }) => isWithin),
  );
});

const vectors = sharedPath("reference/mct_vectors.json");
Deno.test({
  name:
    "with the second pass no choice is worse than MCT's on any recorded vector (needs ../shared)",
  ignore: vectors === undefined,
  fn: async () => {
    const sets = mctData();
    const core = await createDirectErrorsCore();
    const choices = recordedChoices(vectors!).filter(({ error }) => error !== "lp");
    assert.ok(choices.length >= 40, `${choices.length} choices`);
    const worse: string[] = [];
    for (const { data, power, levels, ...rest } of choices) {
      const spec: SettledSpec = { signed: "auto", ...rest };
      const errors = core.create([levels, ...shortlist(observe(sets[data]), spec)]);
      errors.observe(sets[data]);
      const [theirs, ...ours] = errors.results().map((sums) =>
        power === 1 ? sums.absolute : sums.squared
      );
      const ratio = Math.min(...ours) / theirs;
      if (ratio > 1 + 1e-12) worse.push(`${data} ${JSON.stringify(spec)}: ${ratio}`);
    }
    assert.deepEqual(worse, []);
  },
});

for (const constraint of ["symmetric", "uniform"] as const) {
  Deno.test(`shortlist() of a tensor of zeros leaves nothing to decide: ${constraint}`, () => {
    const spec: SettledSpec = { error: "mse", bits: 8, constraint, signed: "auto" };
    assert.deepEqual(shortlist(observe(new Float32Array(64)), spec), []);
    assert.ok(shortlist(observe(Float32Array.of(0, 0, 0.5, 0)), spec).length > 0);
  });
}
