/** Which axis of an input counts samples, and what a run gets of a sample. */
import assert from "node:assert/strict";
import { feedsFor, fixedBatch, modelInputs } from "../../../pipeline/inference/infer.ts";
import { model, node, value } from "../../support/onnx.ts";

/** Inputs of a model by their shapes. */
function inputsOf(shapes: Record<string, (number | string)[]>) {
  const names = Object.keys(shapes);
  return modelInputs(
    model({
      nodes: names.map((name) => node("Relu", [name], [`${name}_out`])),
      inputs: names.map((name) => value(name, shapes[name])),
      outputs: names.map((name) => value(`${name}_out`, shapes[name])),
    }).graph,
  );
}

function feed(
  shapes: Record<string, (number | string)[]>,
  dims: Record<string, number[]>,
  count = 1,
) {
  const inputs = new Map(
    Object.entries(dims).map(([name, own]) => [name, {
      data: new Float32Array(own.reduce((a, b) => a * b, count)),
      dims: [count, ...own],
    }]),
  );
  const samples = [{ index: 0, id: "first", input: { data: new Float32Array(0), dims: [] } }];
  const feeds = feedsFor({ inputs, samples }, inputsOf(shapes));
  return Object.fromEntries([...feeds].map(([name, tensor]) => [name, tensor.dims]));
}

for (
  const [shapes, axes] of [
    [{ x: ["b", 16], gain: [] }, [0, null]],
    [{ x: ["b", 16], scale: [16] }, [0, null]],
    [{ x: [1, 16], filters: [4, 3] }, [0, null]],
    [{ x: ["b", 16], state: [2, "b", 8] }, [0, 1]],
    [{ waveform: [1600] }, [null]],
    [{ waveform: ["length"] }, [0]],
    [{ a: [8, 3], b: [8, 5] }, [0, 0]],
  ] as [Record<string, (number | string)[]>, (number | null)[]][]
) {
  Deno.test(`modelInputs() of ${JSON.stringify(shapes)} counts samples along ${JSON.stringify(axes)}`, () => {
    const inputs = inputsOf(shapes);
    assert.deepEqual(inputs.map(({ batchAxis }) => batchAxis), axes);
    if (axes.includes(null)) assert.equal(fixedBatch(inputs), 1);
  });
}

Deno.test("feedsFor() gives an input without an axis of samples its own shape", () => {
  assert.deepEqual(feed({ x: ["b", 16], scale: [16] }, { x: [16], scale: [16] }), {
    x: [1, 16],
    scale: [16],
  });
  assert.deepEqual(feed({ x: ["b", 4], filters: [4, 3] }, { x: [4], filters: [1, 4, 3] }), {
    x: [1, 4],
    filters: [4, 3],
  });
  assert.deepEqual(feed({ waveform: [1600] }, { waveform: [1600] }), { waveform: [1600] });
});

Deno.test("feedsFor() takes inputs without elements, as the caches of a first step are", () => {
  assert.deepEqual(feed({ ids: ["b", 4], past: ["b", "p", 8] }, { ids: [4], past: [0, 8] }), {
    ids: [1, 4],
    past: [1, 0, 8],
  });
});

Deno.test("feedsFor() says how arrays are saved that an option doesn't touch", () => {
  assert.throws(
    () => feed({ x: ["b", 3, "h", "w"] }, { x: [8, 8, 3] }),
    /transpose\(x, \(0, 3, 1, 2\)\)/,
  );
  assert.throws(
    () => feed({ x: ["b", 8, 8, 3] }, { x: [3, 8, 8] }),
    /transpose\(x, \(0, 2, 3, 1\)\)/,
  );
  assert.throws(() => feed({ x: [16, 2] }, { x: [16, 2] }, 16), /numpy\.reshape\(x, \(-1, 2\)\)/);
});
