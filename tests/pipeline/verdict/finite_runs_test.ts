/** A verdict is made of samples whose numbers are finite: those that calibration leaves out say nothing. */
import assert from "node:assert/strict";
import { floatReference } from "../../../pipeline/verdict/verdict.ts";
import { model, node, value } from "../../support/onnx.ts";

const original = model({
  nodes: [node("Neg", ["x"], ["y"])],
  inputs: [value("x", ["n", 2])],
  outputs: [value("y", ["n", 2])],
});

async function samplesIn(rows: number[][]) {
  const samples = rows.map((row, index) => ({
    index,
    id: `${index}`,
    input: { data: Float32Array.from(row), dims: [2] },
  }));
  const { runs, outputs } = await floatReference({ original }, { samples });
  assert.equal(outputs.length, runs.length);
  return runs.map(({ feeds }) => [...feeds.get("x")!.data as Float32Array]);
}

Deno.test("samples with NaN or infinity are left out of a verdict", async () => {
  assert.deepEqual(await samplesIn([[1, 2], [NaN, 2], [3, -Infinity], [5, 6]]), [[1, 2], [5, 6]]);
});

Deno.test("where no sample is finite, all are compared", async () => {
  assert.deepEqual(await samplesIn([[Infinity, 2], [Infinity, 3]]), [[Infinity, 2], [Infinity, 3]]);
});
