/** Each format is read back by the rules of the tool that reads it. */
import assert from "node:assert/strict";
import { roundHalfEven } from "../../../core/grid.ts";
import { EXPORT_FORMATS, EXPORTERS } from "../../../tpc/exporters/exporters.ts";
import { innerTensors } from "../../../tpc/exporters/inner_tensors.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { model, node, value } from "../../support/onnx.ts";
import type {
  Decisions,
  ExportedActivation,
  ExportedWeight,
} from "../../../tpc/exporters/exporter.ts";

const activation = (values: Partial<ExportedActivation> = {}): ExportedActivation => ({
  tensor: "signed",
  bits: 8,
  signed: true,
  constraint: "pot",
  scale: 2 ** -6,
  storage: "uint8",
  zeroPoint: 128,
  quantizedMin: 0,
  quantizedMax: 255,
  fused: [],
  ...values,
});
const unsigned = activation({ tensor: "unsigned", signed: false, zeroPoint: 0, quantizedMin: 0 });
/** ReLU6 over a grid to 8: the clamp must not narrow what other tools get. */
const clamped = activation({ ...unsigned, tensor: "clamped", scale: 2 ** -5, quantizedMax: 192 });
const affine = activation({
  tensor: "affine",
  constraint: "uniform",
  scale: Math.fround(0.0123),
  zeroPoint: 37,
});
const six = activation({
  tensor: "six bits",
  bits: 6,
  quantizedMin: 128 - 32,
  quantizedMax: 128 + 31,
});
const wide = activation({
  tensor: "wide",
  bits: 16,
  scale: 2 ** -12,
  storage: "uint16",
  zeroPoint: 32768,
  quantizedMax: 65535,
});
const asInt8 = activation({
  tensor: "as int8",
  storage: "int8",
  zeroPoint: 0,
  quantizedMin: -128,
  quantizedMax: 127,
});

const weight = (values: Partial<ExportedWeight> = {}): ExportedWeight => ({
  tensor: "w",
  node: "conv",
  op: "Conv",
  activation: "signed",
  axis: 0,
  bits: 8,
  storage: "int8",
  constraint: "symmetric",
  granularity: "channel",
  clip: false,
  steps: { scales: [Math.fround(0.01), Math.fround(0.02)], sqnr: 40 },
  ...values,
});
const affineWeight = weight({
  tensor: "aw",
  node: "affine conv",
  constraint: "uniform",
  steps: { scales: [0.5], zeroPoints: [-28], sqnr: 40 },
  granularity: "tensor",
});
/** Symmetric all the same: 128 is the middle of uint8. */
const asUint8 = weight({
  tensor: "uw",
  storage: "uint8",
  steps: { scales: [0.5, 1], zeroPoints: [128, 128], sqnr: 40 },
});
const gemm = weight({ tensor: "g", node: "gemm", op: "Gemm", activation: "unsigned" });

const write = (format: keyof typeof EXPORTERS, decisions: Partial<Decisions>) =>
  EXPORTERS[format].write({ activations: [], weights: [], ...decisions });
const noted = (notes: readonly string[], pattern: RegExp) =>
  assert.ok(notes.some((note) => pattern.test(note)), `${pattern} not in ${notes.join("\n")}`);
const silent = (notes: readonly string[], name: string) =>
  assert.ok(!notes.some((note) => note.includes(JSON.stringify(name))), notes.join("\n"));

for (const format of EXPORT_FORMATS) {
  Deno.test(`${format}: the same decisions give the same text, whatever the keys' order`, () => {
    const decisions = { activations: [unsigned, affine], weights: [weight()] };
    const reordered = {
      ...decisions,
      activations: decisions.activations.map((entry) =>
        Object.fromEntries(Object.entries(entry).reverse()) as unknown as ExportedActivation
      ),
    };
    assert.deepEqual(write(format, reordered), write(format, decisions));
  });

  Deno.test(`${format}: weights without steps are named`, () => {
    const { text, notes } = write(format, {
      activations: [activation()],
      weights: [weight({ steps: undefined })],
    });
    assert.ok(!text.includes('"w"') && !text.includes("_param_"));
    noted(notes, /the manifest has no weight steps|no place for the steps/);
  });
}

/** `compute_scale_zp` of ONNX Runtime for an asymmetric range. */
function computeScaleZp([low, high]: number[], [qmin, qmax]: number[]): number[] {
  const scale = Math.fround(high - low) / (qmax - qmin);
  return [Math.fround(scale), roundHalfEven(qmin - low / scale)];
}

Deno.test("ort-cache: the runtime's rule gives scale and zero point back", () => {
  const activations = [activation(), unsigned, clamped, affine, wide, asInt8];
  const { text, notes } = write("ort-cache", { activations });
  const cache = JSON.parse(text);
  assert.equal(cache.CLS, "TensorsData");
  assert.deepEqual(cache.calibration_method, {
    CLS: "CalibrationMethod",
    value: "CalibrationMethod.MinMax",
  });
  for (const { tensor, scale, zeroPoint, storage, bits } of activations) {
    const { CLS, lowest, highest } = cache.data[tensor];
    assert.equal(CLS, "TensorData");
    for (const end of [lowest, highest]) {
      assert.deepEqual([end.CLS, end.dtype], ["numpy.array", "float32"]);
      assert.equal(Math.fround(end.data), end.data);
    }
    const codes = storage === "int8" ? [-128, 127] : [0, 2 ** bits - 1];
    const [s, zero] = computeScaleZp([lowest.data, highest.data], codes);
    assert.equal(zero, zeroPoint, tensor);
    if (!notes.some((note) => note.includes(`"${tensor}"`))) assert.equal(s, scale, tensor);
    assert.ok(Math.abs(s - scale) <= scale * 2 ** -22);
  }
  noted(notes, /types of activations differ \(uint8, uint16, int8\)/);
  silent(notes, "clamped");
});

Deno.test("ort-cache: what a range can't say is noted", () => {
  const { notes } = write("ort-cache", { activations: [six], weights: [weight()] });
  noted(notes, /^"six bits": 6 bits become 8/);
  noted(notes, /activation_type=QuantType\.QUInt8/);
  noted(notes, /no place for the steps of 1 weight tensors/);
});

Deno.test("ort-cache: tensors inside a fused chain have the range of its end", () => {
  const activations = [activation({ tensor: "y", fused: ["relu"] })];
  const { graph } = model({
    nodes: [node("Conv", ["x", "w"], ["c"]), { ...node("Relu", ["c"], ["y"]), name: "relu" }],
    inputs: [value("x", ["N", 1, 4, 4])],
    outputs: [value("y", ["N", 2, 4, 4])],
    initializers: [makeTensor("w", [2, 1, 1, 1], Float32Array.of(1, 2))],
  });
  const inner = innerTensors(activations, graph);
  assert.deepEqual(inner, [{ tensor: "c", like: "y" }]);
  const { text, notes } = write("ort-cache", { activations, inner });
  const { data } = JSON.parse(text);
  assert.deepEqual(data.c, data.y);
  assert.ok(!notes.some((note) => /fused chains/.test(note)));
  noted(write("ort-cache", { activations }).notes, /fused chains.*name the model/);
});

Deno.test("ort-overrides: a dictionary for each tensor, or for each channel with the axis", () => {
  const { text, notes } = write("ort-overrides", {
    activations: [affine, asInt8, wide],
    weights: [weight({ axis: 1 }), affineWeight],
  });
  assert.deepEqual(JSON.parse(text), {
    affine: [{ quant_type: "QUInt8", scale: Math.fround(0.0123), zero_point: 37 }],
    "as int8": [{ quant_type: "QInt8", scale: 2 ** -6, zero_point: 0 }],
    wide: [{ quant_type: "QUInt16", scale: 2 ** -12, zero_point: 32768 }],
    w: [
      { quant_type: "QInt8", axis: 1, scale: Math.fround(0.01), zero_point: 0 },
      { quant_type: "QInt8", axis: 1, scale: Math.fround(0.02), zero_point: 0 },
    ],
    aw: [{ quant_type: "QInt8", scale: 0.5, zero_point: -28 }],
  });
  assert.deepEqual(notes, ["give quantize_static per_channel=True"]);
});

Deno.test("ort-overrides: 4-bit weights are QInt4, other narrow grids are noted", () => {
  const { text, notes } = write("ort-overrides", {
    activations: [six],
    weights: [weight({ bits: 4, storage: "int4" })],
  });
  assert.equal(JSON.parse(text).w[0].quant_type, "QInt4");
  noted(notes, /^"six bits": 6 bits of 8/);
  silent(notes, "w");
});

Deno.test("ort-overrides: two readers of a weight with different steps are noted", () => {
  const second = weight({ node: "other", steps: { scales: [1, 2], sqnr: null } });
  const { text, notes } = write("ort-overrides", { weights: [weight(), second] });
  assert.equal(JSON.parse(text).w[0].scale, Math.fround(0.01));
  noted(notes, /^"w": read by several nodes/);
});

/** As Polygraphy and TensorRT read a cache. */
function parseTensorRt(text: string): Map<string, number> {
  const [header, ...lines] = text.trimEnd().split("\n");
  assert.match(header, /^TRT-\d+-EntropyCalibration2$/);
  return new Map(lines.map((line) => {
    const colon = line.lastIndexOf(": ");
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, parseInt(line.slice(colon + 2), 16));
    return [line.slice(0, colon), view.getFloat32(0)];
  }));
}

Deno.test("tensorrt: a signed grid keeps its scale, others get one that holds them", () => {
  const named = activation({ tensor: "a: b", scale: 1 });
  const { text, notes } = write("tensorrt", {
    activations: [activation(), asInt8, unsigned, clamped, affine, six, wide, named],
  });
  assert.match(text, /^a: b: 3f800000$/m, "1.0 is 3f800000, most significant digit first");
  const scales = parseTensorRt(text);
  assert.equal(scales.get("signed"), 2 ** -6);
  assert.equal(scales.get("as int8"), 2 ** -6);
  assert.equal(scales.get("unsigned"), Math.fround(255 / 64 / 127));
  assert.equal(scales.get("clamped"), Math.fround(255 / 32 / 127));
  assert.equal(scales.get("affine"), Math.fround(Math.fround(0.0123) * 218 / 127));
  assert.equal(scales.get("six bits"), Math.fround(2 ** -6 * 32 / 128));
  for (const { tensor } of [activation(), asInt8]) silent(notes, tensor);
  noted(notes, /^"unsigned", "clamped": unsigned/);
  noted(notes, /^"affine": the zero point is lost/);
  noted(notes, /^"six bits": 6 bits become 8/);
  noted(notes, /^"wide": 16 bits become 8/);
});

Deno.test("tensorrt: a name with a line break is left out and noted", () => {
  const { text, notes } = write("tensorrt", { activations: [activation({ tensor: "a\nb" })] });
  assert.equal(text.trimEnd().split("\n").length, 1);
  noted(notes, /left out: the name has a line break/);
});

const w4 = weight({ tensor: "w4", bits: 4, storage: "int4" });

/** AIMET's rule: the representable range from scale, offset and width. */
const ends = (scale: number, offset: number, bits: number) => [
  scale * offset,
  scale * (offset + 2 ** bits - 1),
];

Deno.test("aimet-0.6.1 and aimet-1.0.0 hold every grid", () => {
  const decisions = {
    activations: [activation(), asInt8, unsigned, clamped, affine, six, wide],
    weights: [weight(), affineWeight, gemm, w4, asUint8],
  };
  const old = write("aimet-0.6.1", decisions);
  const current = write("aimet-1.0.0", decisions);
  assert.deepEqual([old.notes, current.notes], [[], []]);
  const a = JSON.parse(old.text);
  const b = JSON.parse(current.text);
  assert.deepEqual([a.version, b.version], ["0.6.1", "1.0.0"]);
  const offsets: Record<string, number[]> = {
    signed: [-128],
    "as int8": [-128],
    unsigned: [0],
    clamped: [0],
    affine: [-37],
    "six bits": [-32],
    wide: [-32768],
    w: [-128, -128],
    aw: [-100],
    g: [-128, -128],
    w4: [-8, -8],
    uw: [-128, -128],
  };
  for (const kind of ["activation_encodings", "param_encodings"]) {
    for (const { name, enc_type, dtype, bw, is_sym, scale, offset } of b[kind]) {
      assert.deepEqual(offset, offsets[name], name);
      assert.equal(dtype, "INT");
      const channels = kind === "param_encodings" && name !== "aw";
      assert.equal(enc_type, channels ? "PER_CHANNEL" : "PER_TENSOR");
      assert.equal(is_sym, offset.every((o: number) => o === -(2 ** (bw - 1))), name);
      a[kind][name].forEach((entry: Record<string, unknown>, c: number) => {
        const [min, max] = ends(scale[c], offset[c], bw);
        assert.deepEqual(entry, {
          bitwidth: bw,
          dtype: "int",
          is_symmetric: is_sym ? "True" : "False",
          ...{ max, min, offset: offset[c], scale: scale[c] },
        });
      });
      assert.equal(a[kind][name].length, scale.length);
    }
  }
  assert.equal(b.activation_encodings.length, 7);
  assert.equal(b.param_encodings.length, 5);
});

/** As `read_int8scale_table` of ncnn2int8 reads a table. */
function parseNcnn(text: string) {
  const tables = { weights: new Map<string, number[]>(), blobs: new Map<string, number[]>() };
  for (const line of text.split("\n")) {
    const [key, ...scales] = line.split(" ").filter((word) => word !== "");
    if (key === undefined) break;
    const table = key.includes("_param_") ? tables.weights : tables.blobs;
    table.set(key, scales.map((scale) => Math.fround(Number(scale))));
  }
  return tables;
}

Deno.test("ncnn: a row of weight scales and one of the input's for each layer", () => {
  const { text, notes } = write("ncnn", {
    activations: [activation(), unsigned, affine],
    weights: [weight(), gemm],
  });
  const { weights, blobs } = parseNcnn(text);
  assert.deepEqual([...weights.keys()], ["conv_param_0", "gemm_param_0"]);
  assert.deepEqual(
    weights.get("conv_param_0"),
    [0.01, 0.02].map((s) => Math.fround(1 / Math.fround(s))),
  );
  assert.deepEqual(blobs.get("conv"), [64]);
  assert.deepEqual(blobs.get("gemm"), [Math.fround(127 / (255 / 64))]);
  noted(notes, /^"unsigned": unsigned/);
  noted(notes, /^1 activations have no row/);
  noted(notes, /Winograd/);
});

Deno.test("ncnn: layers without a row are named", () => {
  const bad = [
    weight({ node: "deconv", op: "ConvTranspose" }),
    weight({ node: "a b" }),
    weight({ node: "x".repeat(300) }),
    weight({ node: "whole", granularity: "tensor" }),
    weight({ node: "affine", steps: affineWeight.steps }),
    weight({ node: "float", activation: "nowhere" }),
  ];
  const { text, notes } = write("ncnn", { activations: [activation()], weights: bad });
  assert.equal(text, "");
  for (const { node } of bad) noted(notes, new RegExp(`^"${node}": left out: `));
});
