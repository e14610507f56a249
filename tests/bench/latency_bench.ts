/**
 * Latency of an emitted model against the float one, side by side on onnxruntime-web, one thread:
 *
 *     deno run -A tests/bench/latency_bench.ts
 *
 * A network in the shape of ResNet-50 with random weights, for target `onnxruntime`. Checked before anything
 * is timed: every Conv and Gemm is an integer kernel, and the outputs are close.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import assert from "node:assert/strict";
import type { Tensor } from "../../core/tensor.ts";
import { createSession } from "../../pipeline/inference/default_runtime.ts";
import { loadFloatModel, quantize } from "../../pipeline/quantize/quantize.ts";
import { readModel, writeModel } from "../../onnx/file/model.ts";
import { presetTarget } from "../../tpc/targets/read_target.ts";
import { resNet50 } from "../support/architectures.ts";
import { profileKernels } from "../support/kernels.ts";
import { floats, gaussian } from "../support/random.ts";
import { row } from "./measure.ts";

const ROUNDS = 11;
/** Part of the float latency that the quantized model may take. */
const GOAL = 0.5;

const { model, input } = resNet50();
const [, ...dims] = input;
const random = gaussian(1);
const images = Array.from({ length: 2 }, (_, index) => ({
  index,
  id: `image ${index}`,
  input: { data: floats(dims.reduce((a, b) => a * b, 1), random), dims },
}));
const float = await loadFloatModel(writeModel(model), "ResNet-50");
const target = presetTarget("onnxruntime")!;
const { model: file } = await quantize(float, ReadableStream.from(images), { target }, {
  batch: 1,
});

const feeds = new Map<string, Tensor>([["x", { data: images[0].input.data, dims: input }]]);
await using before = await createSession(model, { name: "float" });
await using after = await createSession(readModel(file, "quantized"), { name: "quantized" });
const run = async (session: typeof before) => (await session.run(feeds, ["y"])).get("y")!.data;
const [expected, found] = [await run(before), await run(after)];
let [signal, noise] = [0, 0];
expected.forEach((x, i) => {
  signal += x * x;
  noise += (x - found[i]) ** 2;
});
const sqnr = 10 * Math.log10(signal / noise);
const kernels = await profileKernels(file, { x: [...input] });
const integer = kernels.filter(({ op }) => /^(QLinearConv|QGemm)$/.test(op)).length;
assert.equal(integer, 54, "every Conv and Gemm is an integer kernel");
assert.ok(sqnr > 15, `${sqnr} dB`);
console.log(`answers: ${integer} integer kernels, ${sqnr.toFixed(1)} dB\n`);

// By turns, so that both see the same machine.
const times: [number[], number[]] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  for (const [i, session] of [before, after].entries()) {
    const start = performance.now();
    await run(session);
    times[i].push(performance.now() - start);
  }
}
const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
const [floatMs, integerMs] = times.map(median);
console.log(
  `ms, median of ${ROUNDS}; ${navigator.hardwareConcurrency} processors, Deno ${Deno.version.deno}, one thread\n`,
);
console.log(row("", ["float", "quantized", "ratio", "goal"]));
console.log(row("ResNet-50 shaped, 224 × 224", [
  floatMs.toFixed(0),
  integerMs.toFixed(0),
  (integerMs / floatMs).toFixed(3),
  `≤ ${GOAL}`,
]));
