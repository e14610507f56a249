/** What is emitted is valid ONNX, loads elsewhere, keeps its interface, and computes what it says. */
import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type NodeProto,
  TensorProto_DataType,
  ValueInfoProtoSchema,
} from "../../../onnx/file/onnx_pb.ts";
import { type Model, readModel, writeModel } from "../../../onnx/file/model.ts";
import { withFields } from "../../../onnx/file/model.ts";
import { dimensions, elementCount, makeTensor, tensorData } from "../../../onnx/file/tensor.ts";
import type { Target } from "../../../tpc/targets/target.ts";
import type { ActivationStorage, WeightStorage } from "../../../core/types.ts";
import { createSession } from "../../../pipeline/inference/default_runtime.ts";
import { type Architecture, ARCHITECTURES } from "../../support/architectures.ts";
import { model, node, value } from "../../support/onnx.ts";
import { quantizeArchitecture, samplesFor, sqnr } from "../../support/quantize_architecture.ts";
import { floats, gaussian } from "../../support/random.ts";
import { runModel } from "../../support/run_model.ts";
import { withAllOnIntegers } from "../../support/small_layers.ts";

const PRESETS = ["default", "onnxruntime", "tflite"];
const emitted = new Map<string, { architecture: Architecture; file: Uint8Array<ArrayBuffer> }>();

Deno.test.beforeAll(async () => {
  for (const [name, make] of Object.entries(ARCHITECTURES)) {
    for (const preset of PRESETS) {
      const architecture = make();
      const { model: file } = await quantizeArchitecture(architecture, preset);
      emitted.set(`${name} for ${preset}`, { architecture, file });
    }
  }
});

Deno.test("emitted models keep names, shapes and types of inputs and outputs", () => {
  for (const [name, { architecture: { model: { graph } }, file }] of emitted) {
    const now = readModel(file, name).graph;
    const bytes = (infos: typeof graph.input) =>
      infos.map((i) => toBinary(ValueInfoProtoSchema, i));
    assert.deepEqual(bytes(now.input), bytes(graph.input), name);
    assert.deepEqual(bytes(now.output), bytes(graph.output), name);
  }
});

Deno.test("emitted models run in onnxruntime-node, close to what onnxruntime-web gives", async () => {
  const ort = await import("onnxruntime-node");
  for (const [name, { architecture, file }] of emitted) {
    const session = await ort.InferenceSession.create(file);
    const [{ input: { data } }] = samplesFor(architecture, 1);
    const x = new ort.Tensor("float32", data, [...architecture.input]);
    const native = (await session.run({ x })).y.data as Float32Array;
    const feeds = { x: { data, dims: architecture.input } };
    const web = (await runModel(readModel(file, name), feeds)).get("y")!.data;
    // Kernels round sums in another order; a code now and then is one off.
    assert.ok(sqnr(web, native) > 30, `${name}: ${sqnr(web, native)} dB`);
  }
});

const hasOnnx = await new Deno.Command("python3", {
  args: ["-c", "import onnx.checker"],
  // Here the folder onnx/ would be taken for the package.
  cwd: "tests",
}).output()
  .then(({ success }) => success, () => false);

Deno.test({
  name: `the ONNX checker accepts emitted models${
    hasOnnx ? "" : " (skipped: no Python with onnx)"
  }`,
  ignore: !hasOnnx,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      for (const [name, { file }] of emitted) await Deno.writeFile(`${folder}/${name}.onnx`, file);
      const script = "import glob, sys, onnx.checker\n" +
        "for p in glob.glob(sys.argv[1] + '/*.onnx'):\n" +
        "    onnx.checker.check_model(onnx.load(p), full_check=True)\n";
      const { success, stderr } = await new Deno.Command("python3", {
        args: ["-c", script, folder],
        cwd: "tests",
      }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

const STORAGES: [ActivationStorage, number, WeightStorage, number][] = [
  ["uint8", 8, "int8", 8],
  ["int8", 8, "int8", 8],
  ["uint8", 16, "int8", 8],
  ["int8", 16, "int8", 8],
  ["uint8", 12, "int8", 8],
  ["uint8", 6, "uint8", 8],
  ["uint8", 8, "int4", 4],
  ["uint8", 8, "uint4", 4],
  ["uint8", 8, "int4", 3],
];
for (const opset of [17, 21]) {
  for (const [activation, bits, weight, weightBits] of STORAGES) {
    for (const constraint of ["pot", "uniform"] as const) {
      const title = `${activation} of ${bits} bits, ${weight} of ${weightBits}, ${constraint}`;
      Deno.test(`every storage type loads and runs: ${title}, opset ${opset}`, async () => {
        const { model: float, input } = ARCHITECTURES["inverted residual with ReLU6"]();
        const [entry] = float.opsetImport;
        const architecture = {
          input,
          model: withFields<Model>(float, {
            irVersion: 10n,
            opsetImport: [withFields(entry, { version: BigInt(opset) })],
          }),
        };
        const { model: file, manifest } = await quantizeArchitecture(
          architecture,
          "default",
          (target) => ({
            ...target,
            storage: { activation, weight, bias: "int32" },
            activation: { ...target.activation, bits, constraint },
            weight: { ...target.weight, bits: weightBits, constraint },
          }),
        );
        const wide = activation === "uint8" ? "uint16" : "int16";
        const expected = bits > 8 ? wide : activation;
        assert.ok(manifest.activations.every(({ storage }) => storage === expected));
        const feeds = { x: { data: samplesFor(architecture, 1)[0].input.data, dims: input } };
        const reference = (await runModel(architecture.model, feeds)).get("y")!.data;
        const found = (await runModel(readModel(file, title), feeds)).get("y")!.data;
        const least = weightBits < 8 ? 5 : bits < 8 ? 15 : 25;
        assert.ok(sqnr(reference, found) > least, `${sqnr(reference, found)} dB`);
      });
    }
  }
}

for (const weight of ["int4", "uint4"] as const) {
  Deno.test(`blocks of weights have steps of their own: ${weight}`, async () => {
    const random = gaussian(9);
    // The second half of the inputs has weights a hundred times larger: one step a channel would lose the first.
    const matrix = (rows: number, columns: number, byRow: boolean) =>
      floats(rows * columns, random).map((w, i) =>
        w * ((byRow ? Math.floor(i / columns) >= rows / 2 : i % columns >= columns / 2) ? 100 : 1)
      );
    const architecture: Architecture = {
      input: [1, 64],
      model: withFields<Model>(
        model({
          nodes: [
            node("MatMul", ["x", "m"], ["h"]),
            node("Gemm", ["h", "g", "b"], ["y"], { transB: 1 }),
          ],
          inputs: [value("x", ["N", 64])],
          outputs: [value("y", ["N", 5])],
          initializers: [
            makeTensor("m", [64, 32], matrix(64, 32, true)),
            makeTensor("g", [5, 32], matrix(5, 32, false)),
            makeTensor("b", [5], floats(5, random)),
          ],
          opset: 21,
        }),
        { irVersion: 10n },
      ),
    };
    const spread = async (granularity: "block" | "channel") => {
      const { model: file, manifest } = await quantizeArchitecture(
        architecture,
        "default",
        (target) => ({
          ...target,
          storage: { ...target.storage, weight },
          weight: {
            ...target.weight,
            bits: 4,
            granularity,
            ...(granularity === "block" ? { blockSize: 16 } : {}),
          },
        }),
      );
      const constants = dequantizedConstants(readModel(file, "blocks"));
      const original = architecture.model.graph.initializer[0];
      const small = (data: Float32Array) => data.subarray(0, 32 * 32);
      const distance = sqnr(
        small(tensorData(original) as Float32Array),
        small(constants.get("m")!),
      );
      await runModel(readModel(file, "blocks"), {
        x: { data: samplesFor(architecture, 1)[0].input.data, dims: [1, 64] },
      });
      return { distance, manifest };
    };
    const [block, channel] = [await spread("block"), await spread("channel")];
    assert.ok(
      block.distance > channel.distance + 10,
      `${block.distance} and ${channel.distance} dB`,
    );
    const [first, second] = block.manifest.weights;
    assert.deepEqual([first.axis, first.steps!.scales.length], [0, 4 * 32]);
    assert.deepEqual([second.axis, second.steps!.scales.length, second.bias], [
      1,
      5 * 2,
      undefined,
    ]);
  });
}

Deno.test("blocks of weights need opset 21, and sizes that divide", async () => {
  const architecture = ARCHITECTURES.plain();
  const block = (blockSize: 16 | 256) => (target: Target): Target => ({
    ...target,
    storage: { ...target.storage, weight: "int4" },
    weight: { ...target.weight, bits: 4, granularity: "block", blockSize },
  });
  await assert.rejects(
    quantizeArchitecture(architecture, "default", block(16)),
    /opset 21 or newer/,
  );
  await assert.rejects(
    quantizeArchitecture(architecture, "default", block(256)),
    /16 inputs don't divide into blocks of 256.*Use --weight-granularity channel/,
  );
  const wide = quantizeArchitecture(architecture, "default", (target) => ({
    ...target,
    weight: { ...target.weight, granularity: "block", blockSize: 16 },
  }));
  await assert.rejects(wide, /blocks of 4 bits only/);
});

/** Constants that DequantizeLinear makes, computed here from codes, scales and zero points. */
function dequantizedConstants({ graph }: Model): Map<string, Float32Array> {
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const result = new Map<string, Float32Array>();
  for (const { opType, input, attribute } of graph.node) {
    const codes = constants.get(input[0]);
    if (opType !== "DequantizeLinear" || codes === undefined || codes.dims.length !== 2) continue;
    const [rows, columns] = dimensions(codes);
    const attributeOf = (name: string, fallback: number) =>
      Number(attribute.find((entry) => entry.name === name)?.i ?? fallback);
    const [axis, size] = [attributeOf("axis", 1), attributeOf("block_size", 0)];
    const unpack = (name: string) => {
      const tensor = constants.get(name)!;
      const type = tensor.dataType;
      if (type !== TensorProto_DataType.INT4 && type !== TensorProto_DataType.UINT4) {
        return Array.from(tensorData(tensor) as Int8Array);
      }
      const count = elementCount(dimensions(tensor));
      return Array.from({ length: count }, (_, i) => {
        const half = (tensor.rawData[i >> 1] >> (i % 2 * 4)) & 15;
        return type === TensorProto_DataType.INT4 && half > 7 ? half - 16 : half;
      });
    };
    const [values, zeros] = [unpack(input[0]), unpack(input[2])];
    const scales = tensorData(constants.get(input[1])!) as Float32Array;
    const at = (row: number, column: number) =>
      size === 0
        ? (axis === 0 ? row : column)
        : axis === 0
        ? Math.floor(row / size) * columns + column
        : row * (columns / size) + Math.floor(column / size);
    const data = Float32Array.from({ length: rows * columns }, (_, i) => {
      const s = at(Math.floor(i / columns), i % columns);
      return (values[i] - zeros[s]) * scales[s];
    });
    result.set(input[0].replace(/\/quantized.*$/, ""), data);
  }
  return result;
}

/** One layer of each kind that has an integer kernel. */
const LAYERS: Record<string, NodeProto[]> = {
  Conv: [node("Conv", ["x", "w", "b"], ["y"], { pads: [1, 1, 1, 1] })],
  "Conv + Relu": [
    node("Conv", ["x", "w", "b"], ["c"], { pads: [1, 1, 1, 1] }),
    node("Relu", ["c"], ["y"]),
  ],
  "Conv + Clip": [
    node("Conv", ["x", "w", "b"], ["c"], { pads: [1, 1, 1, 1] }),
    node("Clip", ["c", "low", "high"], ["y"]),
  ],
  "depthwise Conv": [node("Conv", ["x", "d", "b"], ["y"], { pads: [1, 1, 1, 1], group: 8 })],
  MatMul: [node("MatMul", ["x", "m"], ["y"])],
  Add: [node("Add", ["x", "x2"], ["y"])],
  Mul: [node("Mul", ["x", "x2"], ["y"])],
  // A Concat that only an output reads stays float.
  Concat: [
    node("Concat", ["x", "x2"], ["c"], { axis: 1 }),
    node("AveragePool", ["c"], ["y"], { kernel_shape: [1, 1] }),
  ],
  AveragePool: [node("AveragePool", ["x"], ["y"], { kernel_shape: [2, 2] })],
  GlobalAveragePool: [node("GlobalAveragePool", ["x"], ["y"])],
  Sigmoid: [node("Sigmoid", ["x"], ["y"])],
  Softmax: [node("Softmax", ["x"], ["y"])],
  LeakyRelu: [node("LeakyRelu", ["x"], ["y"], { alpha: 0.125 })],
};

for (const [name, nodes] of Object.entries(LAYERS)) {
  for (const constraint of ["pot", "uniform"] as const) {
    Deno.test(`integer arithmetic is that of the simulation within one step: ${name}, ${constraint}`, async () => {
      const random = gaussian(3);
      const make = (name: string, dims: number[], scale = 0.2) =>
        makeTensor(name, dims, floats(dims.reduce((a, b) => a * b, 1), () => scale * random()));
      const needsBoth = nodes.some(({ input }) => input.includes("x2"));
      // A second branch with a grid of its own.
      const branch = node("Conv", ["x", "p", "b"], ["x2"]);
      const architecture: Architecture = {
        input: [1, 8, 6, 6],
        model: model({
          nodes: needsBoth ? [branch, ...nodes] : nodes,
          inputs: [value("x", ["N", 8, 6, 6])],
          outputs: [value("y", ["N", "C", "H", "W"])],
          initializers: [
            make("w", [8, 8, 3, 3]),
            make("d", [8, 1, 3, 3]),
            make("p", [8, 8, 1, 1]),
            make("m", [6, 6]),
            make("b", [8]),
            makeTensor("low", [], Float32Array.of(0)),
            makeTensor("high", [], Float32Array.of(1)),
          ],
        }),
      };
      const { model: file, manifest } = await quantizeArchitecture(
        architecture,
        "onnxruntime",
        (target) => ({
          ...target,
          activation: { ...target.activation, constraint },
          operatorSets: withAllOnIntegers(target).operatorSets.map((set) => ({
            ...set,
            floatOutput: false,
          })),
          keepFloat: [],
        }),
      );
      const { scale } = manifest.activations.find(({ tensor }) => tensor === "y")!;
      // The inputs of the layer come out, too: with several layers only the last one is under test.
      const quantized = readModel(file, name);
      const shown = needsBoth ? expose(quantized, "x2") : quantized;
      const feeds = new Map([["x", {
        data: samplesFor(architecture, 1)[0].input.data,
        dims: architecture.input,
      }]]);
      const run = async (optimization?: "disabled") => {
        await using session = await createSession(shown, { name, optimization });
        return await session.run(feeds, session.outputs);
      };
      const [integer, simulated] = [await run(), await run("disabled")];
      const data = integer.get("y")!.data;
      const worst = data.reduce(
        (most, x, i) => Math.max(most, Math.abs(x - simulated.get("y")!.data[i]) / scale),
        0,
      );
      assert.ok(worst < 1.01, `${worst} steps`);
      assert.ok(data.some((x) => x !== 0));
    });
  }
}

function expose(of: Model, tensor: string): Model {
  const output = [...of.graph.output, create(ValueInfoProtoSchema, { name: tensor })];
  return readModel(
    writeModel(withFields<Model>(of, { graph: withFields(of.graph, { output }) })),
    "",
  );
}
