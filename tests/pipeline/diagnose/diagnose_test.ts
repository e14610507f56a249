/** Layer-wise debugging: local and accumulated errors are what they say, and remedies give what they claim. */
import assert from "node:assert/strict";
import { diagnose } from "../../../pipeline/diagnose/diagnose.ts";
import { ErrorSums } from "../../../pipeline/diagnose/error_sums.ts";
import { tryRemedies } from "../../../pipeline/diagnose/try_remedies.ts";
import { evaluate } from "../../../pipeline/evaluate/evaluate.ts";
import { createSession } from "../../../pipeline/inference/default_runtime.ts";
import { loadFloatModel, quantize } from "../../../pipeline/quantize/quantize.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { roundHalfEven } from "../../../core/grid.ts";
import { canonicalJson } from "../../../core/canonical_json.ts";
import type { Manifest } from "../../../tpc/manifest.ts";
import { readModel, writeModel } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { rewritesFor } from "../../../tpc/targets/rewrites_for.ts";
import { addOverrides, presetTarget } from "../../../tpc/targets/read_target.ts";
import { DEMO_MODEL, demoSamples, EVALUATION } from "../../support/demo.ts";
import { model, node, value } from "../../support/onnx.ts";
import { floats, gaussian } from "../../support/random.ts";
import { countingSource } from "../../support/streams.ts";

Deno.test("ErrorSums gives SQNR, cosine and largest error of all elements, however they are cut", () => {
  const [f, q] = [Float32Array.of(3, 4, 0, -1), Float32Array.of(3, 5, 0, -1)];
  const [whole, parts] = [new ErrorSums(), new ErrorSums()];
  whole.add(f, q);
  parts.add(f.subarray(0, 1), q.subarray(0, 1));
  parts.add(f.subarray(1), q.subarray(1));
  assert.deepEqual(parts.result(), whole.result());
  const { sqnr, cosine, maxAbs } = whole.result();
  assert.equal(sqnr, 10 * Math.log10(26 / 1));
  assert.ok(Math.abs(cosine - 30 / Math.sqrt(26 * 35)) < 1e-12);
  assert.equal(maxAbs, 1);
  assert.throws(() => whole.add(f, q.subarray(1)), RangeError);
});

Deno.test("ErrorSums says what isn't finite in numbers that JSON has", () => {
  const of = (f: number[], q: number[]) => {
    const sums = new ErrorSums();
    sums.add(Float32Array.from(f), Float32Array.from(q));
    return sums.result();
  };
  assert.deepEqual(of([1, -Infinity], [1, -Infinity]), { sqnr: null, cosine: 1, maxAbs: 0 });
  assert.deepEqual(of([0, 0], [0, 0]), { sqnr: null, cosine: 1, maxAbs: 0 });
  assert.deepEqual(of([0, 0], [0, 2]), { sqnr: null, cosine: 0, maxAbs: 2 });
  canonicalJson(of([1, 2], [Infinity, NaN]));
  assert.ok(of([1, 2], [Infinity, 2]).maxAbs > 1e300);
});

/** x → Gemm → Relu → Gemm → Relu → Gemm → y, with 6 features everywhere. */
const SIZE = 6;
const layers = [1, 2, 3].map((seed) => ({
  w: floats(SIZE * SIZE, gaussian(seed)),
  b: floats(SIZE, gaussian(10 + seed)),
}));
const small = model({
  nodes: [
    node("Gemm", ["x", "w1", "b1"], ["g1"]),
    node("Relu", ["g1"], ["h1"]),
    node("Gemm", ["h1", "w2", "b2"], ["g2"]),
    node("Relu", ["g2"], ["h2"]),
    node("Gemm", ["h2", "w3", "b3"], ["y"]),
  ],
  inputs: [value("x", ["N", SIZE])],
  outputs: [value("y", ["N", SIZE])],
  initializers: layers.flatMap(({ w, b }, i) => [
    makeTensor(`w${i + 1}`, [SIZE, SIZE], w),
    makeTensor(`b${i + 1}`, [SIZE], b),
  ]),
});
const vectors = Array.from({ length: 40 }, (_, i) => floats(SIZE, gaussian(100 + i)));
const smallSamples = () =>
  ReadableStream.from(
    vectors.map((data, index) => ({ index, id: `${index}`, input: { data, dims: [SIZE] } })),
  );

/** y = clamp(x·w + b), in float64. */
function layer(x: ArrayLike<number>, w: ArrayLike<number>, b: ArrayLike<number>, isRelu: boolean) {
  return Array.from({ length: SIZE }, (_, column) => {
    let sum = b[column];
    for (let row = 0; row < SIZE; row++) sum += x[row] * w[row * SIZE + column];
    return isRelu ? Math.max(0, sum) : sum;
  });
}

/** The numbers that the codes of a layer's weights and bias stand for, computed from the manifest alone. */
function roundedLayer({ weights, activations }: Manifest, i: number) {
  const entry = weights.find(({ tensor }) => tensor === `w${i + 1}`)!;
  const { w, b } = layers[i];
  const scales = entry.steps!.scales;
  const most = 2 ** (entry.bits - 1) - 1;
  const scaleOf = (column: number) => Math.fround(scales[scales.length === 1 ? 0 : column]);
  const step = activations.find(({ tensor }) => tensor === entry.activation)!.scale;
  return {
    w: w.map((x, j) => {
      const s = scaleOf(j % SIZE);
      return s * Math.min(most, Math.max(-most, roundHalfEven(x / s)));
    }),
    b: Float64Array.from(b, (x, column) => {
      const s = Math.fround(step * scaleOf(column));
      return s * roundHalfEven((x - (entry.biasShift?.[column] ?? 0)) / s);
    }),
  };
}

function rounded(x: readonly number[], { activations }: Manifest, tensor: string): number[] {
  const { scale, zeroPoint, quantizedMin, quantizedMax } = activations.find((entry) =>
    entry.tensor === tensor
  )!;
  return x.map((value) => {
    const code = roundHalfEven(value / scale) + zeroPoint;
    return scale * (Math.min(quantizedMax, Math.max(quantizedMin, code)) - zeroPoint);
  });
}

for (const name of ["default", "onnxruntime"]) {
  Deno.test(`local and accumulated errors are those of an independent computation: ${name}`, async () => {
    const target = addOverrides(presetTarget(name)!, [
      { match: { tensor: "h2" }, activation: { bits: 5 } },
    ]);
    const float = await loadFloatModel(writeModel(small), "small");
    const { model: file, manifest } = await quantize(float, smallSamples(), { target });
    const found = await diagnose(float.prepared, readModel(file, "q"), smallSamples(), {
      data: "calibration",
    });
    const names = ["x", "h1", "h2", "y"];
    const [local, accumulated] = [names, names].map((list) => list.map(() => new ErrorSums()));
    const add = (sums: ErrorSums, f: ArrayLike<number>, q: ArrayLike<number>) =>
      sums.add(Float32Array.from(f), Float32Array.from(q));
    const last = (tensor: string, x: number[]) => tensor === "y" ? x : rounded(x, manifest, tensor);
    for (const x of vectors) {
      let [before, carried] = [[...x], rounded([...x], manifest, "x")];
      add(local[0], x, carried);
      add(accumulated[0], x, carried);
      layers.forEach(({ w, b }, i) => {
        const tensor = names[i + 1];
        const isRelu = tensor !== "y";
        const codes = roundedLayer(manifest, i);
        const exact = layer(before, w, b, isRelu);
        add(local[i + 1], exact, last(tensor, layer(before, codes.w, codes.b, isRelu)));
        carried = last(tensor, layer(carried, codes.w, codes.b, isRelu));
        add(accumulated[i + 1], exact, carried);
        before = exact;
      });
    }
    assert.deepEqual(found.tensors.map(({ tensor }) => tensor), names);
    assert.deepEqual([found.samples, found.missing], [vectors.length, []]);
    found.tensors.forEach((entry, i) => {
      const expected = { local: local[i].result(), accumulated: accumulated[i].result() };
      for (const kind of ["local", "accumulated"] as const) {
        const [a, b] = [entry[kind].sqnr!, expected[kind].sqnr!];
        // A value within a float32's rounding of a border may fall on the other side.
        assert.ok(Math.abs(a - b) < 0.05, `${kind} ${entry.tensor}: ${a} and ${b} dB`);
        assert.ok(Math.abs(entry[kind].cosine - expected[kind].cosine) < 1e-4);
      }
      assert.equal(entry.elements, vectors.length * SIZE);
    });
    // The layers differ enough that one taken for another would show.
    const sqnrs = found.tensors.map(({ local }) => local.sqnr!).toSorted((a, b) => a - b);
    assert.ok(sqnrs.every((x, i) => i === 0 || x - sqnrs[i - 1] > 0.2), `${sqnrs}`);
    assert.equal(found.worst[0], "h2", "5 bits");
    assert.equal(found.output?.sqnr, found.tensors.at(-1)!.accumulated.sqnr);
  });
}

const RUINED = "/features/features.3/body/body.0/body.0.0/Conv";
const RUINED_TENSOR = "/features/features.3/body/body.0/body.0.2/Clip_output_0";

Deno.test("a ruined layer is named as the worst, and what helps gives the SQNR that was claimed", async () => {
  const whole = presetTarget("default")!;
  const target = addOverrides(whole, [{ match: { node: RUINED }, weight: { bits: 2 } }]);
  const float = await loadFloatModel(await Deno.readFile(DEMO_MODEL), DEMO_MODEL, {
    rewrites: rewritesFor(target),
  });
  const made = await quantize(float, await demoSamples(12), { target });
  const open = async () => ({ samples: await demoSamples(8, EVALUATION), count: 8 });
  const diagnosis = await diagnose(
    float.prepared,
    readModel(made.model, "q"),
    (await open()).samples,
    { data: "evaluation" },
  );
  assert.equal(diagnosis.worst[0], RUINED_TENSOR);
  const of = (name: string) => diagnosis.tensors.find(({ tensor }) => tensor === name)!;
  const [second] = diagnosis.worst.slice(1);
  assert.ok(of(RUINED_TENSOR).local.sqnr! < of(second).local.sqnr! - 10);
  // What comes after inherits the error, but adds little of its own.
  const after = of("/features/features.3/body/body.1/body.1.2/Clip_output_0");
  assert.ok(after.accumulated.sqnr! < after.local.sqnr! - 15);

  const remedies = await tryRemedies(diagnosis, {
    ...{ target, manifest: made.manifest, open, tensors: 2 },
    statistics: await readPlim(made.statistics, "statistics.plim"),
    model: float.prepared,
    original: float.original,
  });
  canonicalJson({ ...diagnosis, remedies });
  const { current, tried } = remedies;
  assert.deepEqual(
    tried.map(({ sqnr }) => sqnr),
    tried.map(({ sqnr }) => sqnr).toSorted((a, b) => b! - a!),
  );
  const [best] = tried;
  assert.equal(best.tensor, RUINED_TENSOR);
  assert.deepEqual(best.override, { match: { node: RUINED }, weight: { bits: 8 } });
  assert.ok(best.gain! > 5, `${best.gain} dB`);
  assert.deepEqual(
    new Set(tried.map(({ kind }) => kind)),
    new Set(["error", "bits", "weight bits", "float"]),
  );

  const ofKind = (kind: string) => tried.find((remedy) => remedy.kind === kind)!;
  for (const remedy of [best, ofKind("error"), ofKind("bits"), ofKind("float")]) {
    const applied = await quantize(float, await demoSamples(12), {
      target: addOverrides(target, [remedy.override]),
    });
    await using reference = await createSession(float.original, { name: "float" });
    await using session = await createSession(readModel(applied.model, "q"), { name: "q" });
    const [, { sqnr }] = await evaluate(
      [{ name: "float", session: reference }, { name: "q", session }],
      (await open()).samples,
      { inputs: [{ name: "image" }], batch: 8 },
    );
    assert.ok(
      Math.abs(sqnr! - remedy.sqnr!) < 1e-6,
      `${remedy.change}: ${sqnr} dB, claimed ${remedy.sqnr}`,
    );
    assert.equal(remedy.gain, remedy.sqnr! - current.sqnr!);
  }
});

Deno.test("a model without quantizers, or of other names, is refused, and the source let go of", async () => {
  const float = await loadFloatModel(writeModel(small), "small");
  const source = countingSource([{ index: 0, id: "0", input: { data: vectors[0], dims: [SIZE] } }]);
  await assert.rejects(
    diagnose(float.prepared, float.prepared, source.stream, { data: "calibration" }),
    /wanted a QDQ model .*, found one without QuantizeLinear and DequantizeLinear/,
  );
  assert.ok(source.record.isCancelled);
  const { model: file } = await quantize(float, smallSamples(), {
    target: presetTarget("default")!,
  });
  const demo = await loadFloatModel(await Deno.readFile(DEMO_MODEL), DEMO_MODEL);
  await assert.rejects(
    diagnose(demo.prepared, readModel(file, "q"), smallSamples(), { data: "calibration" }),
    /found none among 3, such as "x"/,
  );
});
