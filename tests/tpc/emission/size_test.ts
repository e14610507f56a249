/** What is stored once stays stored once, and tables of rows shrink. */
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import {
  GraphProtoSchema,
  type TensorProto,
  TensorProto_DataType,
} from "../../../onnx/file/onnx_pb.ts";
import { type Model, readModel, withFields, writeModel } from "../../../onnx/file/model.ts";
import { makeTensor, tensorData } from "../../../onnx/file/tensor.ts";
import { loadFloatModel, quantize } from "../../../pipeline/quantize/quantize.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import type { Architecture } from "../../support/architectures.ts";
import { decibelsAtLevels, LEVELS } from "../../support/every_level.ts";
import { model, node, value } from "../../support/onnx.ts";
import { quantizeArchitecture, samplesFor, sqnr } from "../../support/quantize_architecture.ts";
import { floats, gaussian } from "../../support/random.ts";

const random = gaussian(53);

function named(file: Uint8Array, part: RegExp): TensorProto[] {
  return readModel(file, "the model").graph.initializer.filter(({ name }) => part.test(name));
}

/** Two layers with the same weights; their inputs and biases differ by a factor of hundreds. */
function sharing(op: "Conv" | "Gemm"): Architecture {
  const isConv = op === "Conv";
  const input = isConv ? [1, 6, 5, 5] : [1, 12];
  const dims = isConv ? [6, 6, 3, 3] : [12, 12];
  const attributes: Record<string, number[]> = isConv ? { pads: [1, 1, 1, 1] } : {};
  const bias = isConv ? 6 : 12;
  return {
    input,
    model: model({
      nodes: [
        node(op, ["x", "w", "b"], ["a"], attributes),
        node("Relu", ["a"], ["r"]),
        node(op, ["r", "w", "c"], ["d"], attributes),
        node("Relu", ["d"], ["e"]),
        node(op, ["e", "w"], ["y"], attributes),
      ],
      inputs: [value("x", ["N", ...input.slice(1)])],
      outputs: [value("y", ["N", ...input.slice(1)])],
      initializers: [
        makeTensor("w", dims, floats(dims.reduce((a, b) => a * b, 1), random)),
        makeTensor("b", [bias], floats(bias, random)),
        makeTensor("c", [bias], floats(bias, random).map((b) => 1e6 * b)),
      ],
    }),
  };
}

for (const op of ["Conv", "Gemm"] as const) {
  for (const preset of ["onnxruntime", "default", "tflite"]) {
    Deno.test(`shared weights have one set of codes: ${op}, ${preset}`, async () => {
      const architecture = sharing(op);
      const { model: file, manifest } = await quantizeArchitecture(architecture, preset);
      assert.equal(manifest.weights.length, 3);
      const scales = manifest.weights.map(({ steps }) => steps!.scales);
      assert.deepEqual([scales[1], scales[2]], [scales[0], scales[0]]);
      for (const part of [/^w\/quantized/, /^w\/scale/, /^w\/zero/]) {
        assert.equal(named(file, part).length, 1, `${part}`);
      }
      const feeds = samplesFor(architecture, 3).map(({ input }) => ({
        x: { data: input.data, dims: architecture.input },
      }));
      const found = await decibelsAtLevels(architecture.model, file, feeds);
      const reference = found.get("disabled, onnxruntime-web, y")!;
      for (const [key, decibels] of found) {
        assert.ok(decibels > Math.max(20, reference - 1), `${key}: ${decibels} dB`);
      }
    });
  }
}

/** Embeddings [V, D] of two inputs of ids, whose rows differ in range, before a product. */
function embedding(opset: number, rank: 2 | 3): Model {
  const rows = rank === 2 ? [300, 16] : [300, 4, 4];
  const table = floats(300 * 16, random).map((w, i) => w * 10 ** (Math.floor(i / 16) % 4 - 3));
  const ids = value("ids", [1, 7], TensorProto_DataType.INT64);
  const made = model({
    nodes: [
      // Read by nothing that quantizes it.
      node("Gather", ["table", "ids"], ["g"]),
      node("Gather", ["table", "ids"], ["e"]),
      node("Gather", ["table", "first"], ["f"]),
      node("Add", ["e", "f"], ["s"]),
      ...(rank === 2 ? [] : [node("Reshape", ["s", "shape"], ["h"])]),
      node("MatMul", [rank === 2 ? "s" : "h", "w"], ["y"]),
    ],
    inputs: [ids],
    outputs: [value("y", [1, 7, 8]), value("g", [1, 7, ...rows.slice(1)])],
    initializers: [
      makeTensor("table", rows, table),
      makeTensor("first", [1, 1], BigInt64Array.of(3n)),
      makeTensor("shape", [3], BigInt64Array.of(1n, 7n, 16n)),
      makeTensor("w", [16, 8], floats(128, random)),
    ],
    opset,
  });
  return withFields<Model>(made, { irVersion: opset < 21 ? 8n : 10n });
}

for (const rank of [2, 3] as const) {
  Deno.test(`a table of Gather is stored in int8, a step a row: rank ${rank}`, async () => {
    const ort = await import("onnxruntime-node");
    for (const opset of [13, 21]) {
      const float = embedding(opset, rank);
      const file = writeModel(float);
      const samples = Array.from({ length: 12 }, (_, index) => ({
        index,
        id: `${index}`,
        input: {
          data: Float32Array.from({ length: 7 }, (_, i) => (index * 37 + i * 13) % 300),
          dims: [7],
        },
      }));
      const { model: quantized, manifest } = await quantize(
        await loadFloatModel(file, "embeddings"),
        ReadableStream.from(samples),
        { target: presetTarget("onnxruntime")! },
      );
      assert.deepEqual(manifest.tables?.map(({ tensor, rows, bits }) => [tensor, rows, bits])[0], [
        "table",
        300,
        8,
      ]);
      const [codes, ...others] = named(quantized, /^table/).filter(({ name }) =>
        !/scale/.test(name)
      );
      assert.deepEqual([codes.dataType, others.length], [TensorProto_DataType.INT8, 0]);
      for (const graphOptimizationLevel of LEVELS) {
        const options = { graphOptimizationLevel, logSeverityLevel: 4 } as const;
        const [a, b] = [
          await ort.InferenceSession.create(file, options),
          await ort.InferenceSession.create(quantized, options),
        ];
        // Ids of every range of rows, each judged alone.
        for (let row = 0; row < 8; row++) {
          const ids = new ort.Tensor("int64", new BigInt64Array(7).fill(BigInt(row)), [1, 7]);
          const [x, y] = [(await a.run({ ids })).g.data, (await b.run({ ids })).g.data];
          const decibels = sqnr(x as Float32Array, y as Float32Array);
          assert.ok(decibels > 38, `${graphOptimizationLevel}, row ${row}: ${decibels} dB`);
        }
      }
    }
  });
}

Deno.test("small tables, masks and those that an override leaves float stay as they are", async () => {
  const { resolve } = await import("../../../tpc/placement/resolve.ts");
  const { outlineGraph } = await import("../../../onnx/graph/outline.ts");
  const target = presetTarget("onnxruntime")!;
  const { graph } = embedding(17, 2);
  const overrides = [{ match: { operator: "Gather" }, quantize: false as const }];
  assert.equal(resolve(outlineGraph(graph), target).tables.length, 3);
  assert.equal(resolve(outlineGraph(graph), { ...target, overrides }).tables.length, 0);
  const tables = {
    small: makeTensor("table", [10, 16], floats(160, random)),
    mask: makeTensor("table", [300, 16], new Float32Array(4800).fill(-1e9)),
  };
  for (const [name, table] of Object.entries(tables)) {
    const initializer = graph.initializer.map((tensor) => tensor.name === "table" ? table : tensor);
    const changed = create(GraphProtoSchema, { ...graph, initializer });
    assert.equal(resolve(outlineGraph(changed), target).tables.length, 0, name);
  }
  assert.ok(tensorData(graph.initializer[0]).length > 4096);
});
