/** Weights alone: what is stored in what, that outputs follow the formula, and that both runtimes run it at every level. */
import assert from "node:assert/strict";
import { TensorProto_DataType } from "../../../onnx/file/onnx_pb.ts";
import { type Model, readModel, withFields, writeModel } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { quantizeWeights } from "../../../onnx/quantized/quantize_weights.ts";
import { emitModel } from "../../../tpc/emission/emit.ts";
import { weightGrid } from "../../../tpc/emission/weight_grid.ts";
import type { Manifest } from "../../../tpc/manifest.ts";
import type { Architecture } from "../../support/architectures.ts";
import { decibelsAtLevels, operatorsOf } from "../../support/every_level.ts";
import { model, node, value } from "../../support/onnx.ts";
import { feedsFor, quantizeWished } from "../../support/quantize_wished.ts";
import { floats, gaussian } from "../../support/random.ts";

/** Layers of every kind: blocks that divide, that only smaller ones do, an odd number of them, and none. */
function network(opset = 17): Architecture {
  const random = gaussian(21);
  const tensor = (name: string, ...dims: number[]) => {
    const size = dims.reduce((a, b) => a * b, 1);
    const inputs = dims.length > 2 ? 36 : dims[0];
    return makeTensor(name, dims, floats(size, random).map((w) => w / Math.sqrt(inputs)));
  };
  const made = model({
    nodes: [
      node("Conv", ["x", "conv", "cb"], ["c"], { pads: [1, 1, 1, 1] }),
      node("Relu", ["c"], ["r"]),
      node("ConvTranspose", ["r", "up", "ub"], ["u"], { pads: [1, 1, 1, 1] }),
      node("GlobalAveragePool", ["u"], ["p"]),
      node("Flatten", ["p"], ["f"]),
      node("MatMul", ["f", "w64"], ["a"]),
      node("Add", ["a", "b96"], ["s"]),
      node("Tanh", ["s"], ["t"]),
      node("Gemm", ["t", "w96", "gb"], ["g"], { transB: 1 }),
      node("MatMul", ["g", "w48"], ["m"]),
      node("MatMul", ["m", "w50"], ["n"]),
      node("MatMul", ["n", "tiny"], ["y"]),
    ],
    inputs: [value("x", ["N", 4, 6, 6])],
    outputs: [value("y", ["N", 5])],
    initializers: [
      tensor("conv", 64, 4, 3, 3),
      tensor("cb", 64),
      tensor("up", 64, 64, 3, 3),
      tensor("ub", 64),
      tensor("w64", 64, 96),
      tensor("b96", 96),
      tensor("w96", 48, 96),
      tensor("gb", 48),
      tensor("w48", 48, 50),
      tensor("w50", 50, 40),
      tensor("tiny", 40, 5),
    ],
    opset,
  });
  return {
    input: [1, 4, 6, 6],
    model: withFields<Model>(made, { irVersion: opset < 21 ? 8n : 10n }),
  };
}

/** The float model with the real numbers of its codes for weights: what the formula says. */
function restored(float: Model, { weights }: Manifest): Model {
  const { graph } = float;
  const entries = new Map(weights.map((weight) => [weight.tensor, weight]));
  const shifts = new Map(
    weights.flatMap(({ bias, biasShift }) =>
      bias === undefined || biasShift === undefined ? [] : [[bias.tensor, biasShift] as const]
    ),
  );
  const initializer = graph.initializer.map((tensor) => {
    const { name, rawData } = tensor;
    const dims = tensor.dims.map(Number);
    const data = new Float32Array(rawData.slice().buffer);
    const shift = shifts.get(name);
    if (shift !== undefined) return makeTensor(name, dims, data.map((b, c) => b - shift[c]));
    const weight = entries.get(name);
    if (weight === undefined) return tensor;
    const grid = weightGrid(weight);
    const codes = quantizeWeights(data, dims, grid);
    // By index of each axis, unlike the function under test.
    const scaleAt = (position: number) => {
      const index: number[] = [];
      for (let d = dims.length - 1, rest = position; d >= 0; d--) {
        index[d] = rest % dims[d];
        rest = Math.floor(rest / dims[d]);
      }
      const { axis = 0, blockSize } = grid;
      if (blockSize === undefined) return index[axis];
      const blocks = dims.map((size, d) => d === axis ? size / blockSize : size);
      index[axis] = Math.floor(index[axis] / blockSize);
      return index.reduce((at, i, d) => at * blocks[d] + i, 0);
    };
    return makeTensor(
      name,
      dims,
      data.map((_, i) => (codes[i] - grid.zeroPoints[scaleAt(i)]) * grid.scales[scaleAt(i)]),
    );
  });
  return withFields<Model>(float, { graph: withFields(graph, { initializer }) });
}

for (const opset of [13, 21]) {
  for (const weightOnly of ["int8", "int4"] as const) {
    Deno.test(`${weightOnly} weights compute as the formula says, at every level: opset ${opset}`, async () => {
      const architecture = network(opset);
      const { model: file, manifest, float } = await quantizeWished(architecture, { weightOnly });
      assert.deepEqual(manifest.activations, []);
      assert.deepEqual(
        manifest.weights.map(({ tensor, storage, granularity, blockSize }) =>
          `${tensor} ${storage} ${granularity} ${blockSize ?? ""}`.trim()
        ),
        weightOnly === "int8"
          ? ["conv", "up", "w64", "w96", "w48", "w50"].map((name) => `${name} int8 channel`)
          : [
            "conv int8 channel",
            "up int8 channel",
            "w64 uint4 block 32",
            "w96 uint4 block 32",
            "w48 uint4 block 16",
            "w50 int8 channel",
          ],
      );
      const tiny = manifest.float.find(({ node }) => node === "MatMul_y");
      assert.match(tiny!.reason, /200 numbers, too few/);
      assert.deepEqual(writeModel(emitModel(float.prepared, manifest)), file);
      const size = writeModel(architecture.model).length;
      assert.ok(file.length < 0.36 * size, `${file.length} of ${size} bytes`);
      const operators = operatorsOf(file);
      const blocks = operators.filter((op) => op === "MatMulNBits").length;
      assert.equal(blocks, weightOnly === "int8" ? 0 : 3);
      assert.equal(operators.includes("DequantizeLinear"), false);
      const feeds = feedsFor(architecture, 3);
      const exact = await decibelsAtLevels(restored(float.prepared, manifest), file, feeds);
      for (const [key, decibels] of exact) assert.ok(decibels > 110, `${key}: ${decibels} dB`);
      const found = await decibelsAtLevels(architecture.model, file, feeds);
      const least = weightOnly === "int8" ? 33 : 12;
      for (const [key, decibels] of found) assert.ok(decibels > least, `${key}: ${decibels} dB`);
    });
  }
}

Deno.test("int4 weights rounded by second moments err less than the nearest ones", async () => {
  const architecture = network();
  const nearest = await quantizeWished(architecture, { weightOnly: "int4" });
  const rounded = await quantizeWished(architecture, {
    weightOnly: "int4",
    weightRounding: "gptq",
  });
  const other = rounded.manifest.weights.filter(({ rounding }) => rounding !== "gptq");
  assert.deepEqual(other.map(({ op }) => op), ["ConvTranspose"]);
  const feeds = feedsFor(architecture, 12);
  const [before, after] = await Promise.all([nearest, rounded].map(async ({ model: file }) => {
    const found = await decibelsAtLevels(architecture.model, file, feeds);
    return found.get("all, onnxruntime-node, y")!;
  }));
  assert.ok(after > before + 1, `${before} dB, then ${after} dB`);
});

Deno.test("float16 holds what it can, and the manifest names what it can't", async () => {
  const random = gaussian(2);
  const matrix = (name: string, factor: number) =>
    makeTensor(name, [16, 16], floats(256, random).map((w) => w * factor));
  const large = floats(256, random);
  large[7] = 70_000;
  const architecture: Architecture = {
    input: [1, 16],
    model: model({
      nodes: [
        node("MatMul", ["x", "plain"], ["a"]),
        node("MatMul", ["a", "large"], ["b"]),
        node("MatMul", ["b", "small"], ["c"]),
        node("Add", ["c", "few"], ["y"]),
      ],
      inputs: [value("x", ["N", 16])],
      outputs: [value("y", ["N", 16])],
      initializers: [
        matrix("plain", 1),
        makeTensor("large", [16, 16], large),
        matrix("small", 1e-6),
        makeTensor("few", [16], floats(16, random)),
      ],
    }),
  };
  const { model: file, manifest, float } = await quantizeWished(architecture, {
    weightOnly: "float16",
  });
  const stored = new Map(manifest.stored!.map((entry) => [entry.tensor, entry]));
  assert.deepEqual([...stored].map(([name, { type }]) => [name, type]), [
    ["plain", "float16"],
    ["large", "float32"],
    ["small", "float32"],
  ]);
  assert.match(stored.get("large")!.reason[0], /70000, and float16 ends at 65504/);
  assert.match(stored.get("small")!.reason[0], /would keep \d+\.\d dB/);
  const types = readModel(file, "the model").graph.initializer.map(({ dataType }) => dataType);
  assert.equal(types.filter((type) => type === TensorProto_DataType.FLOAT16).length, 1);
  assert.deepEqual(writeModel(emitModel(float.prepared, manifest)), file);
  const found = await decibelsAtLevels(architecture.model, file, feedsFor(architecture, 3));
  for (const [key, decibels] of found) assert.ok(decibels > 60, `${key}: ${decibels} dB`);
});

/** Rows of a table that two Gathers pick; 48 numbers are three blocks of 16. */
function embedding(columns: number): Model {
  const random = gaussian(8);
  return model({
    nodes: [
      node("Gather", ["table", "ids"], ["e"]),
      node("Gather", ["table", "first"], ["f"]),
      node("Add", ["e", "f"], ["s"]),
      node("MatMul", ["s", "w"], ["y"]),
    ],
    inputs: [value("ids", [1, 7], TensorProto_DataType.INT64)],
    outputs: [value("y", [1, 7, 32])],
    initializers: [
      makeTensor("table", [200, columns], floats(200 * columns, random)),
      makeTensor("first", [1, 1], BigInt64Array.of(3n)),
      makeTensor("w", [columns, 32], floats(32 * columns, random)),
    ],
  });
}

for (const columns of [48, 64, 50]) {
  Deno.test(`tables lie in blocks of four bits where they divide: rows of ${columns}`, async () => {
    const ort = await import("onnxruntime-node");
    const { createSession } = await import("../../../pipeline/inference/default_runtime.ts");
    const { loadFloatModel, quantize } = await import("../../../pipeline/quantize/quantize.ts");
    const { sqnr } = await import("../../support/quantize_architecture.ts");
    const float = embedding(columns);
    const samples = Array.from({ length: 8 }, (_, index) => ({
      index,
      id: `${index}`,
      input: {
        data: Float32Array.from({ length: 7 }, (_, i) => (index * 31 + i) % 200),
        dims: [7],
      },
    }));
    const made = await quantize(
      await loadFloatModel(writeModel(float), "embeddings"),
      samples,
      { weightOnly: "int4" },
    );
    const blockSize = { 48: 16, 64: 32 }[columns];
    assert.deepEqual(
      made.manifest.tables!.map(({ bits, blockSize }) => [bits, blockSize]),
      [blockSize === undefined ? [8, undefined] : [4, blockSize]],
    );
    const ids = BigInt64Array.from({ length: 7 }, (_, i) => BigInt(i * 23));
    const least = blockSize === undefined ? 35 : 17;
    await using a = await createSession(float, { name: "float" });
    const feeds = new Map([["ids", { data: ids, dims: [1, 7] }]]);
    const reference = (await a.run(feeds, ["y"])).get("y")!.data as Float32Array;
    for (const level of ["disabled", "basic", "extended", "all"] as const) {
      await using b = await createSession(made.emitted, { name: "int4", optimization: level });
      const web = (await b.run(feeds, ["y"])).get("y")!.data as Float32Array;
      const session = await ort.InferenceSession.create(made.model, {
        graphOptimizationLevel: level,
        logSeverityLevel: 4,
      });
      const native = await session.run({ ids: new ort.Tensor("int64", ids, [1, 7]) });
      for (const found of [web, native.y.data as Float32Array]) {
        assert.ok(sqnr(reference, found) > least, `${level}: ${sqnr(reference, found)} dB`);
      }
    }
  });
}

for (
  const recipe of [{ weightOnly: "int8" }, { weightOnly: "int4" }, {
    activation: "dynamic",
  }] as const
) {
  Deno.test(`weights that layers share are stored once: ${Object.values(recipe)}`, async () => {
    const random = gaussian(6);
    const architecture: Architecture = {
      input: [1, 64],
      model: model({
        nodes: [
          node("MatMul", ["x", "w"], ["a"]),
          node("Tanh", ["a"], ["t"]),
          node("MatMul", ["t", "w"], ["b"]),
          node("Gemm", ["b", "w", "c"], ["y"], { transB: 1 }),
        ],
        inputs: [value("x", ["N", 64])],
        outputs: [value("y", ["N", 64])],
        initializers: [
          makeTensor("w", [64, 64], floats(4096, random).map((w) => w / 8)),
          makeTensor("c", [64], floats(64, random)),
        ],
      }),
    };
    const { model: file } = await quantizeWished(architecture, {
      target: "onnxruntime",
      scaleMigration: false,
      ...recipe,
    });
    const { initializer } = readModel(file, "the model").graph;
    const codes = initializer.filter(({ name }) => /^w\/(quantized|blocks)/.test(name));
    // Transposed they have steps along the other axis.
    assert.equal(codes.length, 2);
    const found = await decibelsAtLevels(architecture.model, file, feedsFor(architecture, 3));
    for (const [key, decibels] of found) assert.ok(decibels > 14, `${key}: ${decibels} dB`);
  });
}
