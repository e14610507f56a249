import assert from "node:assert/strict";
import { calibrate } from "../../../pipeline/passes/calibrate.ts";
import { writePlim } from "../../../pipeline/statistics/plim.ts";
import type { TensorStatistics } from "../../../pipeline/statistics/statistics.ts";
import { ThresholdWatch } from "../../../pipeline/passes/threshold_watch.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";
import { createNaiveHistogramCore } from "../../../wasm/mod.ts";

const { prepared: model } = await demoModel();
const target = presetTarget("default")!;

/** Statistics of the model's input, as if it had held one value. */
function seen(value: number): TensorStatistics[] {
  const accumulator = createNaiveHistogramCore().create();
  accumulator.observe(Float32Array.of(value));
  return [{ tensor: "image", shape: [1, 1, 28, 28], histogram: accumulator.data() }];
}

Deno.test("a watch looks once a second at most, and tells what moved between two looks", () => {
  let time = 0;
  let looks = 0;
  const watch = new ThresholdWatch(model, target, { now: () => time });
  const lookAt = (at: number, value: number) => {
    time = at;
    watch.look(0, () => (looks++, seen(value)));
    return watch.state;
  };
  assert.equal(lookAt(500, 1), undefined);
  assert.equal(looks, 0, "nobody waits for a short calibration");
  assert.equal(lookAt(1000, 1), undefined, "one look has nothing to compare with");
  assert.equal(lookAt(1999, 4), undefined);
  assert.equal(looks, 1);
  assert.deepEqual(lookAt(2000, 4), { moving: 1, all: 1 });
  assert.deepEqual(lookAt(3000, 4), { moving: 0, all: 1 });
  assert.equal(looks, 3);
});

Deno.test("looks take at most a fiftieth of the time", () => {
  let time = 0;
  let looks = 0;
  const watch = new ThresholdWatch(model, target, { now: () => time });
  const slow = () => {
    looks++;
    time += 400;
    return seen(1);
  };
  const end = 300_000;
  while (time < end) {
    watch.look(0, slow);
    time += 10;
  }
  assert.ok(looks > 10 && 400 * looks / end <= 0.021, `${looks} looks`);
});

Deno.test("a watch changes no bit of the statistics", async () => {
  const calibrated = async (isEnough?: Parameters<typeof calibrate>[1]["isEnough"]) =>
    await writePlim(
      await calibrate(await demoSamples(12), {
        model,
        target,
        modelSha256: "0".repeat(64),
        batch: 3,
        isEnough,
      }),
    );
  let time = 0;
  const watch = new ThresholdWatch(model, target, { now: () => time });
  const watched = await calibrated((samples, tensors) => {
    time += 1000;
    return watch.isEnough(samples, tensors);
  });
  assert.ok(watch.state!.all > 20);
  assert.deepEqual(watched, await calibrated());
});
