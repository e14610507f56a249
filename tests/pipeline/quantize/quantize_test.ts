/** The whole way, on the demo. */
import type { FloatModel } from "../../../pipeline/quantize/float_model.ts";
import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { Sample } from "../../../core/tensor.ts";
import { evaluate } from "../../../pipeline/evaluate/evaluate.ts";
import { exposeTensors } from "../../../pipeline/inference/infer.ts";
import { createSession } from "../../../pipeline/inference/default_runtime.ts";
import { type Quantization, quantize } from "../../../pipeline/quantize/quantize.ts";
import { decide } from "../../../pipeline/search/decide.ts";
import { divideDyadic } from "../../../pipeline/statistics/dyadic.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { canonicalJson } from "../../../core/canonical_json.ts";
import { emitModel } from "../../../tpc/emission/emit.ts";
import { readModel, writeModel } from "../../../onnx/file/model.ts";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { demoModel, demoSamples, EVALUATION } from "../../support/demo.ts";
import { naiveErrors } from "../../support/exact.ts";
import { withQuantizedOutputs } from "../../support/quantized_outputs.ts";
import { profileKernels } from "../../support/kernels.ts";

const target = presetTarget("default")!;
let float: FloatModel;
const COUNT = 70;
const results = new Map<number, Quantization>();
let made: Quantization;
let { model, manifest, recipe, statistics } = {} as Quantization;

Deno.test.beforeAll(async () => {
  float = await demoModel();
  for (const batch of [1, 7, 64]) {
    results.set(batch, await quantize(float, await demoSamples(COUNT), { target }, { batch }));
  }
  made = results.get(7)!;
  ({ model, manifest, recipe, statistics } = made);
});

for (const batch of [1, 64]) {
  Deno.test(`quantize() gives the same bytes with batch ${batch} as with batch 7`, () => {
    const other = results.get(batch)!;
    assert.deepEqual(other.statistics, statistics);
    assert.equal(canonicalJson(other.manifest), canonicalJson(manifest));
    assert.deepEqual(other.model, model);
  });
}

Deno.test("quantize() gives the same bytes for the same samples in another order", async () => {
  const samples = await Array.fromAsync(await demoSamples(COUNT));
  const shuffled = samples.map((_, i) => samples[(i * 37 + 11) % COUNT]);
  const other = await quantize(float, ReadableStream.from<Sample>(shuffled), { target }, {
    batch: 8,
  });
  assert.deepEqual(other.statistics, statistics);
});

Deno.test("every ERR(t) in the manifest is the float64 nearest to the exact error of the dumped activations", async () => {
  const { tensor, signed, bits, statistics } = manifest.activations.find(({ producer }) =>
    producer?.op === "Add"
  )!;
  const values: number[] = [];
  // All of them exposed: what is watched decides what the runtime fuses, and so the last bits.
  const watched = manifest.activations.filter(({ sameAs }) => sameAs === undefined).map((entry) =>
    entry.tensor
  );
  await using session = await createSession(exposeTensors(made.float.prepared, watched), {
    name: "float",
  });
  for await (const { input } of await demoSamples(COUNT)) {
    const feeds = new Map([["image", { data: input.data, dims: [1, ...input.dims] }]]);
    values.push(...(await session.run(feeds, [tensor])).get(tensor)!.data);
  }
  assert.equal(statistics!.elements, values.length);
  for (const { threshold, error } of statistics!.curve) {
    const { squared } = naiveErrors(values, Math.log2(threshold), bits, signed);
    assert.equal(error, divideDyadic(squared, BigInt(values.length)), `t = ${threshold}`);
  }
});

Deno.test("thresholds are powers of two and scales float32", () => {
  for (const { threshold, scale } of manifest.activations) {
    assert.ok(Number.isInteger(Math.log2(threshold)));
    assert.equal(scale, Math.fround(scale));
  }
});

Deno.test("a manifest validates against its published JSON Schema", () => {
  const schema = JSON.parse(Deno.readTextFileSync("tpc/schema/manifest.v1.schema.json"));
  const validate = new Ajv2020({ strict: false }).compile(schema);
  const value = JSON.parse(canonicalJson(manifest));
  assert.ok(validate(value), JSON.stringify(validate.errors));
  assert.ok(!validate({ ...value as object, surprise: 1 }));
});

Deno.test("every Conv, Gemm, Add and pooling of the quantized model runs as an integer kernel", async () => {
  const kernels = await profileKernels(model, { image: [2, 1, 28, 28] });
  const counts: Record<string, number> = {};
  for (const { op } of kernels) counts[op] = (counts[op] ?? 0) + 1;
  assert.equal(counts.QLinearConv, 22);
  assert.equal(counts.QGemm, 1);
  assert.equal(counts.QLinearAdd, 4);
  assert.equal(counts.QLinearGlobalAveragePool, 1);
  // One in front of the model, none inside; the last layer gives float by itself.
  assert.deepEqual([counts.QuantizeLinear, counts.DequantizeLinear], [1, undefined]);
  assert.deepEqual(["Conv", "FusedConv", "Gemm", "Relu"].filter((op) => counts[op]), []);
});

Deno.test("the quantized model keeps names, types and shapes of inputs and outputs", () => {
  const ends = ({ graph }: ReturnType<typeof readModel>) => {
    const { inputs, outputs } = outlineGraph(graph);
    return { inputs, outputs };
  };
  assert.deepEqual(ends(readModel(model, "quantized")), ends(float.original));
});

Deno.test("the statistics alone give the same decisions again", async () => {
  const again = await decide({
    statistics: await readPlim(statistics, "s.plim"),
    statisticsSha256: manifest.statistics.sha256,
    ...{ target, recipe, model: made.float.prepared },
  });
  assert.equal(canonicalJson(again), canonicalJson(manifest));
  assert.deepEqual(writeModel(emitModel(made.float.prepared, again)), model);
});

for (const bits of [4, 6]) {
  Deno.test(`${bits}-bit grids hold in the emitted model`, async () => {
    const fewer = {
      ...withQuantizedOutputs(target),
      activation: { ...target.activation, bits },
      weight: { ...target.weight, bits },
    };
    const { manifest: decided, emitted } = await quantize(float, await demoSamples(20), {
      target: fewer,
    });
    await using session = await createSession(emitted, { name: "quantized" });
    const [sample] = await Array.fromAsync(await demoSamples(1));
    const feeds = new Map([["image", { data: sample.input.data, dims: [1, 1, 28, 28] }]]);
    const logits = (await session.run(feeds, ["logits"])).get("logits")!.data;
    const { scale, zeroPoint, quantizedMin, quantizedMax } = decided.activations.at(-1)!;
    for (const value of logits) {
      const code = value / scale + zeroPoint;
      assert.ok(Number.isInteger(code) && code >= quantizedMin && code <= quantizedMax, `${value}`);
    }
    assert.equal(quantizedMax - quantizedMin, 2 ** bits - 1);
  });
}

Deno.test("quantized top-1 is within 0.5 points of float on 1,000 evaluation images", async () => {
  const calibrated = await quantize(float, await demoSamples(300), { target });
  await using reference = await createSession(float.original, { name: "float" });
  await using quantized = await createSession(readModel(calibrated.model, "q"), {
    name: "quantized",
  });
  const [a, b] = await evaluate(
    [{ name: "float", session: reference }, { name: "quantized", session: quantized }],
    await demoSamples(1000, EVALUATION),
    { inputs: outlineGraph(float.original.graph).inputs, batch: 8 },
  );
  assert.ok(a.top1! > 0.9 && Math.abs(a.top1! - b.top1!) <= 0.005, `${a.top1} and ${b.top1}`);
  assert.ok(b.agreement > 0.98 && b.sqnr! > 20, `${b.agreement}, ${b.sqnr} dB`);
});

const python = await new Deno.Command("python3", {
  args: ["-c", "import onnx.checker"],
  // Here the folder onnx/ would be taken for the package.
  cwd: "tests",
  stdout: "null",
  stderr: "null",
})
  .output().then(({ success }) => success, () => false);
Deno.test({
  name: "the ONNX checker accepts the quantized model (needs Python with onnx)",
  ignore: !python,
  fn: async () => {
    const path = await Deno.makeTempFile({ suffix: ".onnx" });
    await Deno.writeFile(path, model);
    const script =
      "import onnx, sys; onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)";
    const { success, stderr } = await new Deno.Command("python3", {
      args: ["-c", script, path],
      cwd: "tests",
    }).output();
    await Deno.remove(path);
    assert.ok(success, new TextDecoder().decode(stderr));
  },
});
