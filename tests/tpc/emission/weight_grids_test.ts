/** Every grid of weights, from the search to the integer kernel. */
import assert from "node:assert/strict";
import { createSession } from "../../../pipeline/inference/default_runtime.ts";
import {
  loadFloatModel,
  type Quantization,
  quantize,
} from "../../../pipeline/quantize/quantize.ts";
import { decide } from "../../../pipeline/search/decide.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { weightCodes } from "../../../core/grid.ts";
import { CONSTRAINTS } from "../../../core/types.ts";
import { emitModel } from "../../../tpc/emission/emit.ts";
import type { Manifest } from "../../../tpc/manifest.ts";
import { type Model, readModel, writeModel } from "../../../onnx/file/model.ts";
import {
  dimensions,
  elementCount,
  floatData,
  makeTensor,
  tensorData,
} from "../../../onnx/file/tensor.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import type { Target } from "../../../tpc/targets/target.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";
import { profileKernels } from "../../support/kernels.ts";
import { model, node, value } from "../../support/onnx.ts";
import { floats, gaussian } from "../../support/random.ts";
import { runModel } from "../../support/run_model.ts";

const preset = presetTarget("default")!;
const demo = await demoModel();
let calibrated: Quantization;
let reference: Float32Array;
const samples = await Array.fromAsync(await demoSamples(16));
const dims = [samples.length, 1, 28, 28];
const images = { dims, data: new Float32Array(elementCount(dims)) };
samples.forEach(({ input }, i) => images.data.set(input.data, i * input.data.length));

Deno.test.beforeAll(async () => {
  calibrated = await quantize(demo, await demoSamples(32), { target: preset });
  reference = await logits(demo.prepared);
});

async function logits(of: Model): Promise<Float32Array> {
  await using session = await createSession(of, { name: "the demo" });
  return (await session.run(new Map([["image", images]]), ["logits"])).get("logits")!.data;
}

async function decideFor(weight: Partial<Target["weight"]>): Promise<Manifest> {
  return await decide({
    statistics: await readPlim(calibrated.statistics, "s.plim"),
    statisticsSha256: calibrated.manifest.statistics.sha256,
    target: { ...preset, weight: { ...preset.weight, ...weight } },
    model: demo.prepared,
  });
}

/** Initializers of a model, by name. */
function constantsOf({ graph }: Model) {
  return new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
}

for (const constraint of CONSTRAINTS) {
  for (const granularity of ["channel", "tensor"] as const) {
    for (const bits of [8, 4]) {
      const name = `${constraint}, one step a ${granularity}, ${bits} bits`;
      Deno.test(`weights in the emitted model are those of the manifest, and its kernels integer: ${name}`, async () => {
        const manifest = await decideFor({ constraint, granularity, bits, clip: bits < 8 });
        const emitted = emitModel(demo.prepared, manifest);
        checkCodes(manifest, emitted);
        const kernels = await profileKernels(writeModel(emitted), { image: [2, 1, 28, 28] });
        const count = (op: string) => kernels.filter((kernel) => kernel.op === op).length;
        assert.deepEqual(["QLinearConv", "QGemm", "Conv", "FusedConv", "Gemm"].map(count), [
          ...[22, 1, 0, 0, 0],
        ]);
        const found = await logits(emitted);
        let [signal, noise] = [0, 0];
        reference.forEach((f, i) => {
          signal += f * f;
          noise += (found[i] - f) ** 2;
        });
        const sqnr = 10 * Math.log10(signal / noise);
        // Measured: see WANTED. A zero point or scale that a kernel takes wrongly leaves no signal.
        assert.ok(sqnr > WANTED[`${constraint}/${granularity}/${bits}`], `${sqnr} dB`);
      });
    }
  }
}

/** Decibels of the logits that are far below what is measured and far above a broken kernel. */
const WANTED: Record<string, number> = {
  "pot/channel/8": 27, // measured 30.1
  "pot/channel/4": 4, // 6.0
  "pot/tensor/8": 23, // 25.4
  "pot/tensor/4": 5, // 7.9
  "symmetric/channel/8": 28, // 30.8
  "symmetric/channel/4": 14, // 16.1
  "symmetric/tensor/8": 27, // 30.0
  "symmetric/tensor/4": 8, // 10.3
  "uniform/channel/8": 28, // 31.5
  "uniform/channel/4": 13, // 15.6
  "uniform/tensor/8": 27, // 29.4
  "uniform/tensor/4": 10, // 12.1
};

/** Codes, scales and zero points as bytes: real weights are codes · scale, nearest to the float ones. */
function checkCodes(manifest: Manifest, emitted: Model): void {
  const constants = constantsOf(emitted);
  const originals = constantsOf(demo.prepared);
  assert.ok(manifest.weights.length > 20);
  for (const { tensor, axis, bits, constraint, granularity, steps, bias } of manifest.weights) {
    const weights = floatData(originals.get(tensor)!)!;
    const codes = constants.get(`${tensor}/quantized`)!;
    const scale = constants.get(`${tensor}/scale`)!;
    const zeroPoint = constants.get(`${tensor}/zero_point`)!;
    const shape = granularity === "tensor" ? [] : [dimensions(codes)[axis]];
    for (const part of [scale, zeroPoint]) assert.deepEqual(dimensions(part), shape);
    const [scales, zeros] = [floatData(scale)!, tensorData(zeroPoint) as Int8Array];
    assert.deepEqual([...scales], steps!.scales);
    assert.deepEqual([...zeros], steps!.zeroPoints ?? steps!.scales.map(() => 0));
    assert.equal(steps!.zeroPoints !== undefined, constraint === "uniform");
    if (constraint === "pot") {
      for (const s of scales) assert.ok(Number.isInteger(Math.log2(s)), `${s}`);
    }
    const { min, max } = weightCodes(constraint, bits, "int8");
    const stride = granularity === "tensor"
      ? weights.length
      : elementCount(dimensions(codes).slice(axis + 1));
    let [signal, noise] = [0, 0];
    (tensorData(codes) as Int8Array).forEach((code, i) => {
      const c = Math.floor(i / stride) % scales.length;
      const real = (code - zeros[c]) * scales[c];
      assert.ok(code >= min && code <= max, `${code}`);
      const isEnd = code === min || code === max;
      assert.ok(isEnd || Math.abs(real - weights[i]) <= scales[c] * 0.5000001);
      signal += weights[i] ** 2;
      noise += (real - weights[i]) ** 2;
    });
    const sqnr = 10 * Math.log10(signal / noise);
    assert.ok(Math.abs(sqnr - steps!.sqnr!) < 1e-6, `${sqnr} for ${steps!.sqnr} dB`);
    if (bias === undefined) continue;
    assert.deepEqual(dimensions(constants.get(`${bias.tensor}/scale`)!), shape);
    const dequantize = emitted.graph.node.filter(({ opType, input }) =>
      opType === "DequantizeLinear" && input[0].startsWith(`${tensor}/quantized`)
    );
    assert.equal(dequantize.length, 1);
    assert.equal(dequantize[0].attribute.length, granularity === "tensor" ? 0 : 1);
  }
}

for (const group of [1, 2]) {
  Deno.test(`QLinearConv takes int8 zero points that differ by channel, group ${group}`, async () => {
    // Weights of one sign a channel: zero points near −128 and 127. A kernel that took one for all would be far off.
    const random = gaussian(5);
    const weights = floats(4 * 2 / group * 9, () => 0.5 + Math.abs(random()));
    weights.subarray(weights.length / 2).forEach((w, i, half) => half[i] = -w);
    const float = model({
      nodes: [node("Conv", ["x", "w", "b"], ["y"], { group, pads: [1, 1, 1, 1] })],
      inputs: [value("x", ["n", 2, 8, 8])],
      outputs: [value("y", ["n", 4, 8, 8])],
      initializers: [
        makeTensor("w", [4, 2 / group, 3, 3], weights),
        makeTensor("b", [4], floats(4, random)),
      ],
    });
    const loaded = await loadFloatModel(writeModel(float), "conv");
    const x = { dims: [2, 8, 8], data: floats(128, () => Math.abs(random())) };
    const target = {
      ...preset,
      weight: { ...preset.weight, constraint: "uniform" as const },
    };
    const { model: bytes, manifest } = await quantize(
      loaded,
      ReadableStream.from([{ index: 0, id: "0", input: x }]),
      { target },
    );
    const zeros = manifest.weights[0].steps!.zeroPoints!;
    assert.ok(Math.max(...zeros.slice(0, 2)) < -32 && Math.min(...zeros.slice(2)) > 32, `${zeros}`);
    const kernels = await profileKernels(bytes, { x: [1, 2, 8, 8] });
    assert.ok(kernels.some(({ op }) => op === "QLinearConv"));
    const feeds = { x: { dims: [1, 2, 8, 8], data: x.data } };
    const a = (await runModel(loaded.prepared, feeds)).get("y")!.data;
    const b = (await runModel(readModel(bytes, "quantized"), feeds)).get("y")!.data;
    const { scale } = manifest.activations.at(-1)!;
    a.forEach((y, i) => assert.ok(Math.abs(y - b[i]) < 3 * scale, `${y} and ${b[i]}`));
  });
}
