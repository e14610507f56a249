/** What a runtime's levels make of a model: a runtime of its own plays an optimizer that goes wrong. */
import assert from "node:assert/strict";
import { PlimsollError } from "../../../core/errors.ts";
import type { Tensor } from "../../../core/tensor.ts";
import { checkModel, faultError } from "../../../pipeline/verdict/check_model.ts";
import type { Runtime, SessionOptions } from "../../../pipeline/inference/runtime.ts";
import { model, node, value } from "../../support/onnx.ts";
import { floats, gaussian } from "../../support/random.ts";

const written = model({
  nodes: [node("Relu", ["x"], ["a"]), node("Neg", ["a"], ["y"])],
  inputs: [value("x", ["n", 4, 16])],
  outputs: [value("y", ["n", 4, 16])],
});

/** What the float model gives: four channels, the first a hundred times as large as the others. */
const random = gaussian(3);
const float = Array.from({ length: 4 }, () => {
  const data = floats(64, random).map((x, i) => i < 16 ? 100 * x : x);
  return new Map<string, Tensor>([["y", { data, dims: [1, 4, 16] }]]);
});
const runs = float.map(() => ({
  feeds: new Map([["x", { data: new Float32Array(64), dims: [1, 4, 16] }]]),
  samples: 1,
}));

/** A runtime that gives float's outputs with some error, by level. */
function runtimeOf(
  at: (level: string, data: Float32Array) => Float32Array,
): Runtime & { readonly opened: string[] } {
  const opened: string[] = [];
  return {
    name: "onnxruntime-web",
    opened,
    lost: undefined,
    runConstants: () => Promise.reject(new Error("no constants here")),
    open: (_model, { optimization = "all" }: SessionOptions) => {
      opened.push(optimization);
      let run = 0;
      return Promise.resolve({
        inputs: ["x"],
        outputs: ["y"],
        run: () => {
          const { data, dims } = float[run++ % float.length].get("y")!;
          const found = at(optimization, data as Float32Array);
          return Promise.resolve(new Map<string, Tensor>([["y", { data: found, dims }]]));
        },
        endProfiling: () => "[]",
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
  };
}

/** Some 30 dB. */
const rounded = (data: Float32Array) => data.map((x, i) => x * (1 + 0.03 * (i % 2 ? 1 : -1)));

async function faultOf(at: (level: string, data: Float32Array) => Float32Array) {
  const runtime = runtimeOf(at);
  const { fault } = await checkModel(written, runs, float, { runtime, levelRuns: 2 });
  return { fault, opened: runtime.opened };
}

Deno.test("a model that is the same at every level has no fault, and was run at all four", async () => {
  const { fault, opened } = await faultOf((_, data) => rounded(data));
  assert.equal(fault, undefined);
  assert.deepEqual(opened, ["disabled", "basic", "extended", "all"]);
});

Deno.test("all runs count at level all, and only there", async () => {
  const runtime = runtimeOf((_, data) => rounded(data));
  const { outputs } = await checkModel(written, runs, float, { runtime, levelRuns: 2 });
  assert.equal(outputs.length, runs.length);
});

for (const level of ["basic", "extended", "all"]) {
  Deno.test(`an output that level ${level} alone makes another one is a fault there`, async () => {
    const { fault } = await faultOf((at, data) =>
      at === level ? data.map((x) => -x) : rounded(data)
    );
    assert.equal(fault?.level, level);
    assert.match(fault!.what, /output y has -6\.0 dB against float, and 30\.5 dB without/);
  });

  Deno.test(`a small slice that level ${level} alone loses is a fault, though the whole hides it`, async () => {
    const { fault } = await faultOf((at, data) =>
      at === level ? rounded(data).map((x, i) => i < 16 ? x : 0) : rounded(data)
    );
    assert.equal(fault?.level, level);
    assert.match(fault!.what, /slice with 0\.0 dB against float, and 30\.5 dB without/);
  });
}

Deno.test("an output that isn't finite is a fault at whatever level", async () => {
  const { fault } = await faultOf((at, data) => at === "disabled" ? data.map(() => NaN) : data);
  assert.deepEqual([fault?.level, fault?.what], ["disabled", "output y is NaN or infinite"]);
});

Deno.test("differences as kernels have them are none", async () => {
  const { fault } = await faultOf((at, data) =>
    at === "all" ? rounded(data).map((x, i) => x + (i % 7 ? 0 : 0.02 * x)) : rounded(data)
  );
  assert.equal(fault, undefined);
});

Deno.test("a level that refuses the model is a fault that names the node", async () => {
  const runtime = runtimeOf((level, data) => {
    if (level !== "extended") return rounded(data);
    throw new PlimsollError("runtime", {
      action: "loading the model",
      wanted: "a model that it takes",
      found: "two nodes with same node name (Relu_a)",
      remedy: "none",
    });
  });
  const { fault } = await checkModel(written, runs, float, { runtime, levelRuns: 2 });
  assert.deepEqual([fault?.level, fault?.node], ["extended", "Relu_a"]);
  const error = faultError(fault!);
  assert.match(error.message, /at level extended; Relu_a is where it begins/);
  assert.match(error.message, /override/);
});

Deno.test("what isn't the runtime's fault is thrown on", async () => {
  const runtime = runtimeOf(() => {
    throw new TypeError("a bug");
  });
  await assert.rejects(checkModel(written, runs, float, { runtime, levelRuns: 2 }), TypeError);
});
