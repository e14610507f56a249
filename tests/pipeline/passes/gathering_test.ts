/** Passes in parts: whatever the cut, the parts add up to the bytes of the whole. */
import assert from "node:assert/strict";
import { searchThreshold } from "../../../pipeline/search/search_threshold.ts";
import {
  type Gathering,
  gatherPart,
  gridsOf,
  mergeParts,
  orderSchema,
  type PassOrder,
  readErrors,
} from "../../../pipeline/passes/gathering.ts";
import { meanErrors } from "../../../pipeline/passes/gather_errors.ts";
import { createNaiveDirectErrorsCore } from "../../../wasm/mod.ts";
import { calibrate } from "../../../pipeline/passes/calibrate.ts";
import { writePlim } from "../../../pipeline/statistics/plim.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";

const COUNT = 30;
const float = await demoModel();
const preset = presetTarget("default")!;
const target = { ...preset, rewrites: { ...preset.rewrites, equalization: true } };

async function samplesIn(start: number, end: number) {
  const all = await Array.fromAsync(await demoSamples(COUNT));
  return ReadableStream.from(all.filter(({ index }) => index >= start && index < end));
}

const orderOf = (gathering: Gathering, batch?: number): PassOrder => ({
  gathering,
  target,
  rewrites: float.rewrites,
  batch,
});

const partOf = async (order: PassOrder, start: number, end: number, isEnough?: () => boolean) =>
  await gatherPart(order, await samplesIn(start, end), {
    model: float.prepared,
    modelSha256: float.sha256,
    isEnough,
  });

const statistics = await calibrate(await demoSamples(COUNT), {
  ...{ model: float.prepared, modelSha256: float.sha256, target, rewrites: float.rewrites },
});
const grids = new Map(
  statistics.tensors.map(({ tensor, histogram }) => {
    const { levels } = searchThreshold(histogram, { ...target.activation, error: "mse" });
    return [tensor, [levels, { ...levels, step: Math.fround(levels.step * 0.9) }]] as const;
  }),
);
const KINDS: Gathering[] = [
  { kind: "statistics", onNonFinite: "fail" },
  { kind: "reach" },
  { kind: "errors", stage: "test", grids: gridsOf(grids) },
  { kind: "least", most: 7, isHeldOut: false },
  { kind: "least", most: 3, isHeldOut: true },
];

for (const gathering of KINDS) {
  Deno.test(`${JSON.stringify(gathering).slice(0, 40)}: parts of any cut, batch and order give the bytes of the whole`, async () => {
    const whole = (await partOf(orderOf(gathering), 0, COUNT)).part!;
    assert.ok(whole.length > 10);
    for (const cuts of [[0, 1, COUNT], [0, 7, 8, 19, COUNT], [0, 15, COUNT]]) {
      const parts = await Promise.all(
        cuts.slice(1).map(async (end, i) => {
          const order = orderOf(gathering, [1, 5, undefined][i % 3]);
          // As it travels.
          const sent = orderSchema.parse(JSON.parse(JSON.stringify(order)));
          return (await partOf(sent, cuts[i], end)).part!;
        }),
      );
      const pairs = [await mergeParts({ gathering }, parts.slice(1).toReversed()), parts[0]];
      assert.deepEqual(await mergeParts({ gathering }, pairs), whole);
    }
  });

  Deno.test(`${JSON.stringify(gathering).slice(0, 40)}: what was stopped goes on behind it`, async () => {
    const whole = (await partOf(orderOf(gathering, 4), 0, COUNT)).part!;
    let asked = 0;
    const first = await partOf(orderOf(gathering, 4), 0, COUNT, () => ++asked === 3);
    const isShort = gathering.kind === "least";
    // Samples of a test are too few for the least ones to be asked.
    assert.equal(first.samples, isShort ? COUNT : 12);
    assert.equal(first.next, isShort ? COUNT : 12);
    const rest = await partOf(orderOf(gathering), first.next!, COUNT);
    const parts = [first.part, rest.part].filter((part) => part !== undefined);
    assert.deepEqual(await mergeParts({ gathering }, parts), whole);
  });
}

Deno.test("statistics have the bytes that calibrate() gives", async () => {
  const { part } = await partOf(orderOf(KINDS[0]), 0, COUNT);
  assert.deepEqual(part, await writePlim(statistics));
});

Deno.test("true errors are those of the definition", async () => {
  const watched = float.prepared.graph.input[0].name;
  const own = new Map([[watched, grids.get(watched)!]]);
  const order = orderOf({ kind: "errors", stage: "test", grids: gridsOf(own) });
  const { part } = await partOf(order, 0, COUNT);
  const naive = createNaiveDirectErrorsCore().create(own.get(watched)!);
  for await (const { input } of await samplesIn(0, COUNT)) {
    naive.observe((input as { data: Float32Array }).data);
  }
  meanErrors(own, readErrors(part!)).get(watched)!.forEach(({ squared, absolute, elements }, i) => {
    const truth = naive.results()[i];
    assert.equal(elements, naive.count);
    assert.ok(Math.abs(squared * elements / truth.squared - 1) < 1e-11);
    assert.ok(Math.abs(absolute * elements / truth.absolute - 1) < 1e-11);
  });
});

Deno.test("a part without samples is none", async () => {
  for (const gathering of KINDS.slice(0, 3)) {
    const { part, next, samples } = await partOf(orderOf(gathering), 5, 5);
    assert.deepEqual([part, next, samples], [undefined, undefined, 0]);
  }
});
