/** Scale migration, learned from samples: their order and batches don't matter, and one look more is needed. */
import assert from "node:assert/strict";
import { writeModel } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import type { Sample } from "../../../core/tensor.ts";
import { learnMigration, migratedTensors } from "../../../pipeline/passes/learn_migration.ts";
import { loadFloatModel, quantize } from "../../../pipeline/quantize/quantize.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { model, node, value } from "../../support/onnx.ts";
import { floats, gaussian, uniform } from "../../support/random.ts";

const normal = gaussian(12);
/** Bounded, so that samples reach about as far as others: outliers of outliers would hide what is gained. */
const random = uniform(13);
const even = () => 2 * random() - 1;
const [TOKENS, CHANNELS] = [24, 32];
const gain = Float32Array.from({ length: CHANNELS }, (_, i) => i % 16 === 5 ? 40 : 1);
const file = writeModel(model({
  nodes: [
    node("LayerNormalization", ["x", "gain"], ["t"]),
    node("MatMul", ["t", "w"], ["h"]),
    node("Add", ["h", "b"], ["z"]),
    node("Softmax", ["z"], ["y"]),
  ],
  inputs: [value("x", ["N", TOKENS, CHANNELS])],
  outputs: [value("y", ["N", TOKENS, 16])],
  initializers: [
    makeTensor("gain", [CHANNELS], gain),
    makeTensor("w", [CHANNELS, 16], floats(CHANNELS * 16, normal).map((w) => w / 40)),
    makeTensor("b", [16], floats(16, normal)),
  ],
}));
const samples: Sample[] = Array.from({ length: 48 }, (_, index) => ({
  index,
  id: `${index}`,
  input: { data: floats(TOKENS * CHANNELS, even), dims: [TOKENS, CHANNELS] },
}));
const target = presetTarget("onnxruntime")!;
const float = await loadFloatModel(file, "m");
const stream = (list: readonly Sample[] = samples) =>
  ReadableStream.from<Sample>(list.map((sample) => structuredClone(sample)));

Deno.test("learnMigration() finds outlier channels, whatever the order and the batches of the samples", async () => {
  assert.deepEqual(migratedTensors(float.prepared, target), ["t"]);
  const learn = (list: readonly Sample[], batch?: number) =>
    learnMigration(stream(list), { model: float.prepared, target, batch }, {});
  const rewrites = await learn(samples);
  const factors = rewrites.scaleMigration!.t;
  assert.equal(factors.length, CHANNELS);
  assert.ok(factors[5] > 2 * factors[0] && factors[21] > 2 * factors[1], `${factors}`);
  assert.deepEqual(await learn(samples.toReversed()), rewrites);
  assert.deepEqual(await learn([...samples.slice(17), ...samples.slice(0, 17)], 5), rewrites);
});

Deno.test("learnMigration() changes nothing where the target doesn't want it", async () => {
  const plain = { ...target, rewrites: { scaleMigration: false } };
  assert.deepEqual(migratedTensors(float.prepared, plain), []);
  const rewrites = await learnMigration(stream(), { model: float.prepared, target: plain }, {});
  assert.deepEqual(rewrites, {});
});

Deno.test("samples that can be read once are left to the calibration, with a note", async () => {
  const notes: string[] = [];
  const { manifest } = await quantize(file, stream(), { target: "onnxruntime" }, {
    onEvent: (event) => void (event.kind === "note" && notes.push(event.text)),
  });
  assert.equal(manifest.rewrites?.scaleMigration, undefined);
  assert.equal(notes.filter((text) => text.startsWith("scales are not migrated")).length, 1);
});

Deno.test("a wish for migration is refused, before any work, where samples can be read once", async () => {
  const recipe = { target: "onnxruntime", scaleMigration: true } as const;
  await assert.rejects(
    quantize(file, stream(), recipe),
    /samples that can be read more than once.*pass of ranges/s,
  );
});

Deno.test("samples that can be read again are migrated, and the manifest makes the same bytes again", async () => {
  const opener = { open: () => Promise.resolve({ samples: stream() }) };
  const first = await quantize(file, opener, { target: "onnxruntime" });
  assert.equal(first.manifest.rewrites!.scaleMigration!.t.length, CHANNELS);
  const again = await quantize(file, opener, { target: "onnxruntime" });
  assert.deepEqual(again.model, first.model);
});

Deno.test("a choice by outputs works where a Mul migrates: no two nodes have one name", async () => {
  // GELU takes no division, so a Mul does it.
  const gelu = writeModel(model({
    nodes: [
      node("Mul", ["x", "gain"], ["g"]),
      node("Div", ["g", "root"], ["d"]),
      node("Erf", ["d"], ["e"]),
      node("Add", ["e", "one"], ["p"]),
      node("Mul", ["g", "p"], ["m"]),
      node("Mul", ["m", "half"], ["t"]),
      node("MatMul", ["t", "w"], ["h"]),
      node("Softmax", ["h"], ["y"]),
    ],
    inputs: [value("x", ["N", TOKENS, CHANNELS])],
    outputs: [value("y", ["N", TOKENS, 16])],
    initializers: [
      makeTensor("gain", [CHANNELS], gain),
      makeTensor("w", [CHANNELS, 16], floats(CHANNELS * 16, normal).map((w) => w / 40)),
      ...Object.entries({ root: Math.SQRT2, one: 1, half: 0.5 }).map(([name, x]) =>
        makeTensor(name, [], Float32Array.of(x))
      ),
    ],
  }));
  const opener = { open: () => Promise.resolve({ samples: stream() }) };
  const { manifest } = await quantize(gelu, opener, {
    target: "onnxruntime",
    error: "auto",
    autoBy: "output",
  });
  // Preparation may have folded the ½ into the layer, so that m is its input.
  const [tensor, ...others] = Object.keys(manifest.rewrites!.scaleMigration!);
  assert.deepEqual(others, []);
  assert.deepEqual(manifest.activations.map(({ tensor }) => tensor), [`${tensor}/migrated`]);
});
