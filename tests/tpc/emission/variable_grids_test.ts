/** The model whose grids are inputs: it is the emitted model, for every grid. */
import assert from "node:assert/strict";
import type { Tensor } from "../../../core/tensor.ts";
import { createSession } from "../../../pipeline/inference/default_runtime.ts";
import { quantize } from "../../../pipeline/quantize/quantize.ts";
import { levelsOf } from "../../../pipeline/search/levels_of.ts";
import { quantizeValue, storeLevels } from "../../../core/grid.ts";
import { applyEdits } from "../../../tpc/emission/apply_edits.ts";
import { type Edit, insertQdq } from "../../../tpc/emission/insert_qdq.ts";
import type { Manifest } from "../../../tpc/manifest.ts";
import type { Model } from "../../../onnx/file/model.ts";
import { presetTarget, TARGET_NAMES } from "../../../tpc/targets/read_target.ts";
import { makeGridsVariable, type VariableGrids } from "../../../tpc/emission/variable_grids.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";

const float = await demoModel();
const samples = await Array.fromAsync(await demoSamples(8));

async function outputsOf(
  model: Model,
  more: ReadonlyMap<string, Tensor>,
  optimization?: "disabled",
) {
  await using session = await createSession(model, { name: "the test model", optimization });
  const outputs: number[] = [];
  for (const { input } of samples) {
    const image = { data: input.data, dims: [1, ...input.dims] };
    const results = await session.run(new Map([["image", image], ...more]), session.outputs);
    for (const { data } of results.values()) outputs.push(...data);
  }
  return outputs;
}

/** Grids of a manifest as feeds. */
function feedsOf({ inputs }: VariableGrids, { activations }: Manifest): Map<string, Tensor> {
  const feeds = new Map<string, Tensor>();
  for (const entry of activations) {
    if (entry.sameAs !== undefined) continue;
    const levels = levelsOf(entry);
    const names = inputs.get(entry.tensor)!;
    for (const key of ["step", "low", "high"] as const) {
      feeds.set(names[key], { data: Float32Array.of(levels[key]), dims: [] });
    }
  }
  return feeds;
}

/** Σ(b − a)² / Σa². */
function distance(a: readonly number[], b: readonly number[]): number {
  const square = (x: number) => x * x;
  return a.reduce((sum, x, i) => sum + square(x - b[i]), 0) /
    a.reduce((sum, x) => sum + square(x), 0);
}

/** A manifest with every step doubled: the grids that it would have for thresholds twice as large. */
function doubleSteps(manifest: Manifest): Manifest {
  const activations = manifest.activations.map((entry) => {
    const { step, low, high } = levelsOf(entry);
    const grid = storeLevels({ step: 2 * step, low, high }, entry.storage);
    const { low: least, high: most } = entry.clamp;
    return {
      ...entry,
      ...grid,
      ...(least === null ? {} : { quantizedMin: quantizeValue(least, grid) }),
      ...(most === null ? {} : { quantizedMax: quantizeValue(most, grid) }),
    };
  });
  return { ...manifest, activations };
}

/** As `emitModel`, but biases stay float: int32 moves a few values across rounding borders, which later layers multiply. */
function emitWithFloatBiases(model: Model, manifest: Manifest): Model {
  const edits = insertQdq(manifest).flatMap((edit): Edit[] => {
    if (edit.kind !== "bias") return [edit];
    const { scales: _, ...float } = edit;
    return edit.shift === undefined ? [] : [float];
  });
  return applyEdits(model, edits);
}

for (const name of TARGET_NAMES) {
  Deno.test(`the model of all grids gives the bits of the emitted one, biases aside, for ${name}`, async () => {
    const target = presetTarget(name)!;
    const { manifest } = await quantize(float, await demoSamples(24), { target });
    const variable = makeGridsVariable(float.prepared, manifest);
    const reference = await outputsOf(float.prepared, new Map());
    for (const made of [manifest, doubleSteps(manifest)]) {
      const feeds = feedsOf(variable, made);
      const emitted = await outputsOf(
        emitWithFloatBiases(float.prepared, made),
        new Map(),
        "disabled",
      );
      assert.deepEqual(await outputsOf(variable.model, feeds, "disabled"), emitted);
      // Optimized, sums are in another order.
      const loss = distance(reference, emitted);
      const found = distance(reference, await outputsOf(variable.model, feeds));
      assert.ok(loss > 0 && Math.abs(found / loss - 1) < 0.3, `${found} and ${loss}`);
    }
  });
}

Deno.test("makeGridsVariable() leaves the float model as it was and names every grid once", async () => {
  const target = presetTarget("tflite")!;
  const { manifest } = await quantize(float, await demoSamples(8), { target });
  const before = JSON.stringify(
    float.prepared.graph.node.map(({ input, output }) => [input, output]),
  );
  const { model, inputs } = makeGridsVariable(float.prepared, manifest);
  const after = JSON.stringify(
    float.prepared.graph.node.map(({ input, output }) => [input, output]),
  );
  assert.equal(after, before);
  const owners = manifest.activations.filter(({ sameAs }) => sameAs === undefined);
  assert.deepEqual([...inputs.keys()].sort(), owners.map(({ tensor }) => tensor).sort());
  assert.equal(model.graph.input.length, float.prepared.graph.input.length + 3 * owners.length);
});
