import assert from "node:assert/strict";
import { calibrate } from "../../../pipeline/passes/calibrate.ts";
import { decide } from "../../../pipeline/search/decide.ts";
import { settleMethod } from "../../../pipeline/search/settle_method.ts";
import { searchThreshold } from "../../../pipeline/search/search_threshold.ts";
import { readPlim, writePlim } from "../../../pipeline/statistics/plim.ts";
import { subtractHistogram } from "../../../pipeline/statistics/subtract_histogram.ts";
import type { ActivationSpec } from "../../../core/types.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";
import { DISTRIBUTIONS, draw } from "../../support/distributions.ts";
import { observe } from "../../support/observe.ts";

const AUTO: ActivationSpec = { bits: 8, constraint: "symmetric", signed: "auto", error: "auto" };

Deno.test("subtractHistogram() takes a part out again, exactly but for the extremes", () => {
  for (const name of DISTRIBUTIONS) {
    const values = draw(name, 3000, 21);
    const [a, b] = [values.slice(0, 1000), values.slice(1000)];
    const rest = subtractHistogram(observe(values), observe(a));
    const { min, max, ...exact } = observe(b);
    const { min: low, max: high, ...found } = rest;
    assert.deepEqual(found, exact, name);
    assert.ok(low <= min && high >= max && (high - low) <= (max - min) * (1 + 2 ** -6), name);
  }
});

Deno.test("auto takes the method with the least squared error on held-out samples, and says so", () => {
  for (const name of DISTRIBUTIONS) {
    const values = draw(name, 8000, 22);
    const statistics = { histogram: observe(values), heldOut: observe(values.slice(0, 1000)) };
    const { spec, reason } = settleMethod(AUTO, statistics);
    assert.match(
      reason[0],
      new RegExp(`auto: ${spec.error} has the least squared error on 1000 held-out elements`),
    );
    const rest = subtractHistogram(statistics.histogram, statistics.heldOut);
    const errorOf = (error: typeof spec.error) => {
      const { step, low, high } = searchThreshold(rest, { ...spec, error }).levels;
      return values.slice(0, 1000).reduce(
        (sum, x) => sum + (Math.min(Math.max(Math.round(x / step), low), high) * step - x) ** 2,
        0,
      );
    };
    const best = errorOf(spec.error);
    for (const other of ["mse", "mae", "kl", "noclipping"] as const) {
      assert.ok(
        best <= errorOf(other) * 1.01,
        `${name}: ${spec.error} ${best}, ${other} ${errorOf(other)}`,
      );
    }
  }
});

Deno.test("auto doesn't follow an outlier that only the search has seen", () => {
  const values = draw("gaussian", 8000, 23);
  const bulk = values.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  values[7999] = 300 * bulk;
  const { spec } = settleMethod(AUTO, {
    histogram: observe(values),
    heldOut: observe(values.slice(0, 1000)),
  });
  // MSE keeps the outlier and drowns everything else; held-out samples show it.
  assert.notEqual(spec.error, "mse");
  assert.ok(searchThreshold(observe(values), spec).threshold < 10 * bulk);
});

Deno.test("auto without held-out samples is MSE, and says why", () => {
  const { spec, reason } = settleMethod(AUTO, { histogram: observe(draw("relu", 100, 1)) });
  assert.equal(spec.error, "mse");
  assert.match(reason[0], /no samples were held out/);
});

Deno.test("calibrating for auto holds out the same samples in any batch, and the file keeps them", async () => {
  const float = await demoModel();
  const preset = presetTarget("default")!;
  const target = { ...preset, activation: { ...preset.activation, error: "auto" as const } };
  const files: Uint8Array[] = [];
  for (const batch of [1, 7]) {
    const statistics = await calibrate(await demoSamples(40), {
      ...{ target, batch, model: float.prepared, modelSha256: float.sha256 },
    });
    files.push(await writePlim(statistics));
  }
  assert.deepEqual(files[0], files[1]);
  const statistics = await readPlim(files[0], "s.plim");
  const [{ histogram, heldOut }] = statistics.tensors;
  assert.ok(
    heldOut!.finite > 0 && heldOut!.finite < histogram.finite / 2,
    `${heldOut!.finite} of ${histogram.finite}`,
  );
  const manifest = await decide({ statistics, statisticsSha256: "0".repeat(64), target });
  assert.ok(
    manifest.activations.every(({ sameAs, reason }) =>
      sameAs || reason.some((text) => text.startsWith("auto: "))
    ),
  );
});
