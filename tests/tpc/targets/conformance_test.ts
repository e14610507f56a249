/**
 * Each preset does what its platform says: MCT's platform files, the TFLite quantization specification, PyTorch's
 * QNNPACK kernels, ONNX Runtime's. Read from the emitted model, on one network with all that they tell apart.
 */
import assert from "node:assert/strict";
import type { NodeProto } from "../../../onnx/file/onnx_pb.ts";
import type { Quantization } from "../../../pipeline/quantize/quantize.ts";
import type { Model } from "../../../onnx/file/model.ts";
import { readModel } from "../../../onnx/file/model.ts";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { dimensions, makeTensor, tensorData } from "../../../onnx/file/tensor.ts";
import { addOverrides, presetTarget, TARGET_NAMES } from "../../../tpc/targets/read_target.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import type { Architecture } from "../../support/architectures.ts";
import { runCommand } from "../../support/cli.ts";
import { profileKernels } from "../../support/kernels.ts";
import { model, node, value } from "../../support/onnx.ts";
import { withSmallLayers } from "../../support/small_layers.ts";
import { quantizeArchitecture } from "../../support/quantize_architecture.ts";
import { floats, gaussian } from "../../support/random.ts";

/** Convolutions, a join, pooling, fixed ranges, constants and a fully connected layer, channels of uneven size. */
function network(): Architecture {
  const random = gaussian(11);
  const uneven = (name: string, ...dims: number[]) => {
    const inner = dims.slice(1).reduce((a, b) => a * b, 1);
    const data = floats(dims[0] * inner, random).map((x, i) =>
      x * 4 ** (Math.floor(i / inner) % 3 - 1)
    );
    return makeTensor(name, dims, data);
  };
  return {
    input: [1, 3, 8, 8],
    model: model({
      inputs: [value("x", ["N", 3, 8, 8])],
      outputs: [value("y", ["N", 6]), value("log", ["N", 6])],
      nodes: [
        node("Conv", ["x", "w1", "b1"], ["c1"], { kernel_shape: [1, 1] }),
        node("Relu", ["c1"], ["r1"]),
        node("Conv", ["r1", "w2"], ["c2"], { kernel_shape: [1, 1], group: 4 }),
        node("Clip", ["c2", "zero", "six"], ["r2"]),
        node("Conv", ["r1", "w3"], ["c3"], { kernel_shape: [1, 1] }),
        node("Add", ["r2", "c3"], ["sum"]),
        node("Concat", ["sum", "r1"], ["cat"], { axis: 1 }),
        node("AveragePool", ["cat"], ["average"], { kernel_shape: [2, 2], strides: [2, 2] }),
        node("MaxPool", ["average"], ["most"], { kernel_shape: [2, 2] }),
        node("Conv", ["most", "w4"], ["c4"], { kernel_shape: [1, 1] }),
        node("Tanh", ["c4"], ["tanh"]),
        node("Conv", ["most", "w5"], ["c5"], { kernel_shape: [1, 1] }),
        node("Sigmoid", ["c5"], ["sigmoid"]),
        node("Mul", ["tanh", "sigmoid"], ["product"]),
        node("Mul", ["product", "factors"], ["scaled"]),
        node("GlobalAveragePool", ["scaled"], ["mean"]),
        node("Flatten", ["mean"], ["flat"]),
        node("Gemm", ["flat", "fc", "fcb"], ["logits"], { transB: 1 }),
        node("Softmax", ["logits"], ["y"], { axis: 1 }),
        node("LogSoftmax", ["logits"], ["log"], { axis: 1 }),
      ],
      initializers: [
        uneven("w1", 4, 3, 1, 1),
        makeTensor("b1", [4], floats(4, random)),
        uneven("w2", 4, 1, 1, 1),
        uneven("w3", 4, 4, 1, 1),
        uneven("w4", 6, 8, 1, 1),
        uneven("w5", 6, 8, 1, 1),
        uneven("fc", 6, 6),
        makeTensor("fcb", [6], floats(6, random)),
        makeTensor("factors", [1, 6, 1, 1], floats(6, random)),
        makeTensor("zero", [], Float32Array.of(0)),
        makeTensor("six", [], Float32Array.of(6)),
      ],
    }),
  };
}

const architecture = network();
const results = new Map<string, Quantization>();

Deno.test.beforeAll(async () => {
  for (const name of TARGET_NAMES) {
    results.set(name, await quantizeArchitecture(architecture, name, withSmallLayers));
  }
});

/** A constant of an emitted model, as it is stored. */
interface Stored {
  readonly codes: ArrayLike<number | bigint>;
  readonly type: string;
  readonly scales: Float32Array;
  readonly zeroPoints: readonly number[];
}

/** Stored constants by the name of the node that reads them, dequantized, and the number of its input. */
function storedConstants({ graph }: Model): Map<string, Stored> {
  const tensors = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const makers = new Map<string, NodeProto>();
  for (const entry of graph.node) for (const name of entry.output) makers.set(name, entry);
  const found = new Map<string, Stored>();
  for (const reader of graph.node) {
    for (const [i, name] of reader.input.entries()) {
      const maker = makers.get(name);
      const codes = maker?.opType === "DequantizeLinear" ? tensors.get(maker.input[0]) : undefined;
      if (maker === undefined || codes === undefined) continue;
      const zeroPoint = tensors.get(maker.input[2] ?? "");
      const data = tensorData(codes);
      found.set(`${reader.name} ${i}`, {
        codes: data,
        type: data.constructor.name.replace("Array", "").toLowerCase(),
        scales: tensorData(tensors.get(maker.input[1])!) as Float32Array,
        zeroPoints: zeroPoint === undefined ? [] : Array.from(tensorData(zeroPoint), Number),
      });
    }
  }
  return found;
}

/** What a preset made of the network. */
function outcome(preset: string) {
  const { manifest, model: file } = results.get(preset)!;
  const activation = (name: string) => {
    const entry = manifest.activations.find(({ tensor }) => tensor === name);
    assert.ok(entry, `${preset}: ${name} is not quantized`);
    return entry;
  };
  return {
    manifest,
    file,
    activation,
    isQuantized: (name: string) => manifest.activations.some(({ tensor }) => tensor === name),
    grid: (name: string) => {
      const { scale, zeroPoint } = activation(name);
      return { scale, zeroPoint };
    },
    weight: (name: string) => manifest.weights.find(({ tensor }) => tensor === name),
    stored: storedConstants(readModel(file, preset)),
  };
}

const LAYERS = ["w1", "w2", "w3", "w4", "w5", "fc"];

for (const preset of TARGET_NAMES) {
  const target = presetTarget(preset)!;

  Deno.test(`${preset}: bits, constraint and storage of every tensor are the target's`, () => {
    const { manifest, weight } = outcome(preset);
    for (const entry of manifest.activations) {
      assert.equal(entry.bits, 8);
      assert.equal(entry.storage, target.storage.activation);
      const [least, most] = entry.storage === "uint8" ? [0, 255] : [-128, 127];
      assert.ok(entry.quantizedMin >= least && entry.quantizedMax <= most);
      assert.ok(entry.zeroPoint >= least && entry.zeroPoint <= most);
    }
    for (const name of LAYERS) assert.equal(weight(name)?.storage, "int8", name);
  });

  Deno.test(`${preset}: biases are int32 with the scale of input times weights, without zero point`, () => {
    const { activation, weight, stored } = outcome(preset);
    for (const [reader, tensor, input] of [["Conv_c1", "w1", "x"], ["Gemm_logits", "fc", "flat"]]) {
      const bias = stored.get(`${reader} 2`);
      assert.ok(bias, `${reader} has no bias`);
      assert.equal(bias.type, "int32");
      assert.deepEqual(bias.zeroPoints, []);
      const { scales } = weight(tensor)!.steps!;
      const products = scales.map((scale) => Math.fround(scale * activation(input).scale));
      assert.deepEqual([...bias.scales], products);
    }
  });

  Deno.test(`${preset}: weights are symmetric int8 with zero point 0 and no code -128`, () => {
    const { stored } = outcome(preset);
    const constants = [...stored].filter(([key]) => /^(Conv|Gemm)_\S+ 1$/.test(key));
    assert.equal(constants.length, LAYERS.length);
    for (const [key, { codes, type, zeroPoints }] of constants) {
      assert.equal(type, "int8", key);
      assert.ok(zeroPoints.every((zeroPoint) => zeroPoint === 0), key);
      assert.ok(Array.from(codes, Number).every((code) => code >= -127), key);
      assert.ok(Array.from(codes, Number).some((code) => Math.abs(code) > 30), `${key} is empty`);
    }
  });
}

/** Asserts that every weight tensor has one scale for each output channel, or one in all. */
function assertGranularity(preset: string, granularity: Record<string, "channel" | "tensor">) {
  const { weight } = outcome(preset);
  const shapes = new Map(
    architecture.model.graph.initializer.map((tensor) => [tensor.name, dimensions(tensor)]),
  );
  for (const name of LAYERS) {
    const whole = granularity[name] ?? granularity.all;
    const expected = whole === "channel" ? shapes.get(name)![0] : 1;
    assert.equal(weight(name)!.steps!.scales.length, expected, `${preset}: ${name}`);
  }
}

for (const preset of ["default", "imx500"]) {
  Deno.test(`${preset}: thresholds are powers of two, weights symmetric per output channel`, () => {
    const { manifest, activation, grid } = outcome(preset);
    for (const { threshold, scale, zeroPoint, tensor } of manifest.activations) {
      assert.ok(Number.isInteger(Math.log2(threshold)), tensor);
      assert.ok(Number.isInteger(Math.log2(scale)), tensor);
      assert.ok([0, 128].includes(zeroPoint), tensor);
    }
    assertGranularity(preset, { all: "channel" });
    // Ranges by definition, as MCT's LAYER2MINMAX has them.
    assert.deepEqual(grid("sigmoid"), { scale: 1 / 256, zeroPoint: 0 });
    assert.deepEqual(grid("y"), { scale: 1 / 256, zeroPoint: 0 });
    assert.deepEqual(grid("tanh"), { scale: 1 / 128, zeroPoint: 128 });
    assert.deepEqual(activation("r1").fused, ["Relu_r1"]);
    assert.deepEqual(activation("tanh").producer, { op: "Tanh", node: "Tanh_tanh" });
    assert.equal(activation("most").sameAs, "average");
    assert.equal(activation("flat").sameAs, "mean");
    assert.deepEqual(manifest.float, []);
  });
}

Deno.test("default leaves constant operands float, imx500 quantizes them with 8 bits and powers of two", () => {
  assert.equal(outcome("default").weight("factors"), undefined);
  const factors = outcome("imx500").weight("factors")!;
  assert.deepEqual([factors.bits, factors.constraint], [8, "pot"]);
  for (const scale of factors.steps!.scales) assert.ok(Number.isInteger(Math.log2(scale)));
});

Deno.test("imx500 fuses no tensor between a convolution and Tanh or Sigmoid", () => {
  const { isQuantized } = outcome("imx500");
  assert.deepEqual(["c1", "c2", "c4", "c5"].filter(isQuantized), []);
});

Deno.test("imx500 refuses bits and constraints that the platform hasn't", async () => {
  const target = presetTarget("imx500")!;
  const override = (setting: object) => addOverrides(target, [{ match: {}, ...setting }]);
  for (const bits of [8, 16]) override({ activation: { bits } });
  for (const bits of [2, 4, 8]) override({ weight: { bits } });
  for (
    const [options, message] of [
      [["--bits", "5"], /activation\.bits to be one of 8, 16, found 5/],
      [["--weight-bits", "3"], /weight\.bits to be one of 2, 4, 8, found 3/],
      [["--constraint", "uniform"], /activation\.constraint to be one of pot, found uniform/],
      [["--weight-constraint", "pot"], /weight\.constraint to be one of symmetric, found pot/],
    ] as [string[], RegExp][]
  ) {
    const { code, error } = await runCommand("inspect", "--target", "imx500", ...options);
    assert.equal(code, 1);
    assert.match(error, message);
  }
});

for (const preset of ["onnxruntime", "onnxruntime-reduced"]) {
  Deno.test(`${preset}: uint8 activations, and every quantized operator has an integer kernel`, async () => {
    const { file, manifest, isQuantized } = outcome(preset);
    for (const { storage } of manifest.activations) assert.equal(storage, "uint8");
    assertGranularity(preset, { all: "channel" });
    const kernels = await profileKernels(file, { x: [2, 3, 8, 8] });
    const counts: Record<string, number> = {};
    for (const { op } of kernels) counts[op] = (counts[op] ?? 0) + 1;
    assert.deepEqual(
      Object.fromEntries(Object.entries(counts).filter(([op]) => /^Q(Linear|Gemm)/.test(op))),
      {
        ...{ QLinearConv: 5, QLinearAdd: 1, QLinearConcat: 1, QLinearAveragePool: 1 },
        ...{ QLinearSigmoid: 1, QLinearMul: 2, QLinearGlobalAveragePool: 1, QGemm: 1 },
      },
    );
    // What has no integer kernel, or a bad one, is named so, and nothing else is float.
    assert.deepEqual(manifest.float.map(({ op }) => op), ["Tanh", "Softmax", "LogSoftmax"]);
    assert.ok(isQuantized("tanh"), "an input of QLinearMul");
    assert.deepEqual(
      kernels.map(({ op }) => op).filter((op) => /^(Fused)?(Conv|Gemm|MatMul|Add|Mul)$/.test(op)),
      [],
    );
  });
}

Deno.test("onnxruntime-reduced: weight codes are within ±63, so that pairs of products fit 16 bits", () => {
  for (const [key, { codes, type }] of outcome("onnxruntime-reduced").stored) {
    if (!/^(Conv|Gemm)_\S+ 1$/.test(key)) continue;
    assert.equal(type, "int8");
    assert.ok(Array.from(codes, Number).every((code) => Math.abs(code) <= 63), key);
    assert.ok(2 * 255 * 63 < 2 ** 15);
  }
});

Deno.test("tflite: int8 in any range; per-axis convolutions, fully connected per tensor", () => {
  const { manifest } = outcome("tflite");
  for (const { constraint, tensor, scale, zeroPoint } of manifest.activations) {
    assert.equal(constraint, "uniform", tensor);
    assert.ok(scale > 0 && zeroPoint >= -128 && zeroPoint <= 127);
  }
  assertGranularity("tflite", { all: "channel", fc: "tensor" });
});

Deno.test("tflite: LOGISTIC, SOFTMAX, TANH and LOG_SOFTMAX have the grids of the specification", () => {
  const { grid } = outcome("tflite");
  assert.deepEqual(grid("sigmoid"), { scale: 1 / 256, zeroPoint: -128 });
  assert.deepEqual(grid("y"), { scale: 1 / 256, zeroPoint: -128 });
  assert.deepEqual(grid("tanh"), { scale: 1 / 128, zeroPoint: 0 });
  assert.deepEqual(grid("log"), { scale: 16 / 256, zeroPoint: 127 });
});

Deno.test("tflite: concatenation, pooling and reshaping have one scale in and out; ADD and MUL are free", () => {
  const { grid, activation } = outcome("tflite");
  for (const name of ["cat", "average", "most"]) assert.deepEqual(grid(name), grid("sum"), name);
  assert.ok(grid("r1").scale < grid("sum").scale / 2, "a narrow source is requantized at the edge");
  assert.deepEqual(grid("flat"), grid("mean"));
  assert.notDeepEqual(grid("sum"), grid("r2"));
  assert.notDeepEqual(grid("sum"), grid("c3"));
  assert.equal(activation("product").sameAs, undefined);
  assert.equal(activation("product").sharedWith, undefined);
  assert.deepEqual(activation("sum").sharedWith, ["r1"], "the grid is chosen for both inputs");
});

Deno.test("tflite: SiLU is LOGISTIC and MUL, since there is no kernel for it", () => {
  const { graph } = model({
    inputs: [value("x", ["N", 2])],
    outputs: [value("y", ["N", 2])],
    nodes: [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])],
  });
  const { activations } = resolve(outlineGraph(graph), presetTarget("tflite")!);
  assert.deepEqual(activations.map(({ tensor }) => tensor), ["x", "s", "y"]);
});

Deno.test("tflite: a constant operand is an int8 tensor with one scale", () => {
  const { stored } = outcome("tflite");
  const { type, scales } = stored.get("Mul_scaled 1")!;
  assert.deepEqual([type, scales.length], ["int8", 1]);
});

Deno.test("qnnpack: uint8 in any range, one scale per weight tensor", () => {
  const { manifest } = outcome("qnnpack");
  for (const { constraint, storage } of manifest.activations) {
    assert.deepEqual([constraint, storage], ["uniform", "uint8"]);
  }
  assertGranularity("qnnpack", { all: "tensor" });
});

Deno.test("qnnpack: Sigmoid, Softmax and Tanh have PyTorch's fixed parameters, pooling those of its input", () => {
  const { grid, manifest } = outcome("qnnpack");
  assert.deepEqual(grid("sigmoid"), { scale: 1 / 256, zeroPoint: 0 });
  assert.deepEqual(grid("y"), { scale: 1 / 256, zeroPoint: 0 });
  assert.deepEqual(grid("tanh"), { scale: 2 / 256, zeroPoint: 128 });
  for (const name of ["average", "most"]) assert.deepEqual(grid(name), grid("cat"), name);
  for (const name of ["mean", "flat"]) assert.deepEqual(grid(name), grid("scaled"), name);
  assert.deepEqual(manifest.float.map(({ op }) => op), ["LogSoftmax"]);
});
