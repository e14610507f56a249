/** Rewrites on their way: target → model → statistics → manifest → the same model again. */
import assert from "node:assert/strict";
import type { Sample } from "../../../core/tensor.ts";
import { learnRewrites, needsData } from "../../../pipeline/passes/learn_rewrites.ts";
import type { FloatModel } from "../../../pipeline/quantize/float_model.ts";
import { loadFloatModel, quantize, rewriteModel } from "../../../pipeline/quantize/quantize.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { emitModel } from "../../../tpc/emission/emit.ts";
import { writeModel } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { rewritesFor } from "../../../tpc/targets/rewrites_for.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import type { Target } from "../../../tpc/targets/target.ts";
import { model, node, value } from "../../support/onnx.ts";
import { gaussian } from "../../support/random.ts";
import { runModel } from "../../support/run_model.ts";

const preset = presetTarget("default")!;
const normal = gaussian(11);
const floats = (length: number, size = 1) =>
  Float32Array.from({ length }, (_, i) => size * normal() * 4 ** (i % 3));

/** Conv → ReLU6 → Conv → SiLU → Conv. */
const file = writeModel(model({
  nodes: [
    node("Conv", ["x", "a"], ["p"]),
    node("Clip", ["p", "zero", "six"], ["q"]),
    node("Conv", ["q", "b"], ["r"]),
    node("Sigmoid", ["r"], ["s"]),
    node("Mul", ["r", "s"], ["t"]),
    node("Conv", ["t", "c"], ["y"]),
  ],
  inputs: [value("x", ["n", 3, 6, 6])],
  outputs: [value("y", ["n", 2, 6, 6])],
  initializers: [
    makeTensor("a", [8, 3, 1, 1], floats(24, 0.06)),
    makeTensor("zero", [], Float32Array.of(0)),
    makeTensor("six", [], Float32Array.of(6)),
    makeTensor("b", [4, 8, 1, 1], floats(32)),
    makeTensor("c", [2, 4, 1, 1], floats(8)),
  ],
}));
const samples: Sample[] = Array.from({ length: 12 }, (_, index) => ({
  ...{ index, id: `${index}` },
  input: { data: Float32Array.from({ length: 108 }, () => normal()), dims: [3, 6, 6] },
}));
const open = () => ReadableStream.from<Sample>(samples);

async function assertSame(float: FloatModel): Promise<void> {
  const x = { data: (samples[0].input as { data: Float32Array }).data, dims: [1, 3, 6, 6] };
  const [wanted, found] = [
    await runModel(float.original, { x }),
    await runModel(float.prepared, { x }),
  ];
  const [a, b] = [wanted.get("y")!.data, found.get("y")!.data];
  const largest = a.reduce((max, y) => Math.max(max, Math.abs(y)), 0);
  a.forEach((y, i) => assert.ok(Math.abs(y - b[i]) <= 1e-5 * largest, `${y}, ${b[i]}`));
}

Deno.test("bounds of ReLU6 move where thresholds are powers of two, unless the target says otherwise", async () => {
  assert.deepEqual(rewritesFor(preset), { reluBounds: true });
  assert.deepEqual(rewritesFor(presetTarget("onnxruntime")!), { flatClamps: true });
  assert.deepEqual(rewritesFor({ ...preset, rewrites: { reluBounds: false } }), {});
  const float = await loadFloatModel(file, "m", { rewrites: rewritesFor(preset) });
  await assertSame(float);
  assert.deepEqual(float.rewritten, ["q: bound 6 moved to 8, the layers around take the factor"]);
  const result = await quantize(float, open(), { target: preset });
  assert.deepEqual(result.manifest.rewrites, { reluBounds: true });
  assert.deepEqual((await readPlim(result.statistics, "s")).rewrites, { reluBounds: true });
  const entry = result.manifest.activations.find(({ tensor }) => tensor === "q")!;
  assert.deepEqual([entry.threshold, entry.clamp.high, entry.quantizedMax], [8, 8, 255]);
  const again = await loadFloatModel(file, "m", { rewrites: result.manifest.rewrites });
  assert.deepEqual(writeModel(emitModel(again.prepared, result.manifest)), result.model);
});

Deno.test("equalization and shifts are learned from samples, whatever their batches, and are exact on them", async () => {
  const target: Target = { ...preset, rewrites: { equalization: true, shiftNegative: true } };
  assert.ok(needsData(target) && !needsData(preset));
  const first = await loadFloatModel(file, "m", { rewrites: rewritesFor(target) });
  const learn = (batch: number) =>
    learnRewrites(open(), { model: first.prepared, target, batch }, first.rewrites);
  const rewrites = await learn(1);
  assert.deepEqual(await learn(5), rewrites);
  assert.equal(rewrites.reluBounds, true);
  assert.equal(rewrites.equalization?.q.length, 8);
  assert.ok(rewrites.shiftNegative!.t === -0.5);
  const float = await rewriteModel(first, rewrites);
  await assertSame(float);
  assert.match(float.rewritten.join("; "), /channels equalized by factors .*; t: shifted by 0\.5/);
  const opener = { open: () => Promise.resolve({ samples: open() }) };
  const { manifest, model } = await quantize(float, opener, { target });
  const again = await loadFloatModel(file, "m", { rewrites: manifest.rewrites });
  assert.deepEqual(writeModel(emitModel(again.prepared, manifest)), model);
});
