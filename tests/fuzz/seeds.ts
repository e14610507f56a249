/** Small models of many kinds, that cases begin from. */
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  TensorProto_DataType,
} from "../../onnx/file/onnx_pb.ts";
import { type Model, withFields, writeModel } from "../../onnx/file/model.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { quantize } from "../../pipeline/quantize/quantize.ts";
import type { Quantization } from "../../pipeline/quantize/run.ts";
import type { Recipe } from "../../tpc/recipe/recipe.ts";
import { model, node, value } from "../support/onnx.ts";
import { integers, scalar, weights } from "../support/rewrite.ts";
import { floats, gaussian } from "../support/random.ts";

/** Conv, BatchNormalization, Clip, Pad, a depthwise Conv, SiLU, pooling, Gemm. */
export function convolutional(): Model {
  return model({
    inputs: [value("x", ["N", 3, 8, 8])],
    outputs: [value("y", ["N", 5])],
    initializers: [
      ...[weights("w1", 4, 3, 3, 3), weights("b1", 4), weights("s", 4), weights("bb", 4)],
      ...[weights("mm", 4), makeTensor("vv", [4], Float32Array.of(1, 2, 0.5, 0.9))],
      ...[scalar("lo", 0), scalar("hi", 6), integers("pads", [0, 0, 1, 1, 0, 0, 1, 1])],
      ...[weights("w2", 4, 1, 3, 3), weights("w3", 5, 4), weights("b3", 5)],
    ],
    nodes: [
      node("Conv", ["x", "w1", "b1"], ["c1"], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node("BatchNormalization", ["c1", "s", "bb", "mm", "vv"], ["bn"]),
      node("Clip", ["bn", "lo", "hi"], ["r1"]),
      node("Pad", ["r1", "pads"], ["pd"]),
      node("Conv", ["pd", "w2"], ["c2"], { group: 4, kernel_shape: [3, 3] }),
      node("Add", ["c2", "r1"], ["ad"]),
      node("Sigmoid", ["ad"], ["sg"]),
      node("Mul", ["ad", "sg"], ["sw"]),
      node("MaxPool", ["sw"], ["mp"], { kernel_shape: [2, 2], strides: [2, 2] }),
      node("GlobalAveragePool", ["mp"], ["gp"]),
      node("Flatten", ["gp"], ["fl"]),
      node("Gemm", ["fl", "w3", "b3"], ["y"], { transB: 1 }),
    ],
  });
}

/**
 * MatMul with Add, Reshape, Transpose, LayerNormalization, GELU, Split, If.
 *
 * @param computes Whether nodes compute constants, which takes a runtime.
 */
export function transforming(computes = false): Model {
  const branch = (op: string): GraphProto =>
    create(GraphProtoSchema, {
      name: op,
      node: [node(op, ["n"], [`${op}_out`])],
      output: [value(`${op}_out`, ["N", 4])],
    });
  const choice = node("If", ["cond"], ["z"]);
  choice.attribute = ["then_branch", "else_branch"].map((name, i) =>
    create(AttributeProtoSchema, {
      name,
      type: AttributeProto_AttributeType.GRAPH,
      g: branch(["Relu", "Neg"][i]),
    })
  );
  return model({
    inputs: [value("x", ["N", 4])],
    outputs: [value("out", ["N", 4]), value("p1", ["N", 2])],
    initializers: [
      ...[
        weights("w", 4, 4),
        weights("b", 4),
        weights("g", 4),
        weights("h", 4),
        weights("w2", 4, 4),
      ],
      ...[integers("shape", [-1, 4]), integers("half", [2, 2]), scalar("one", 1), scalar("two", 2)],
      ...[integers("one1", [1]), integers("z1", [0]), integers("four1", [4])],
      ...[0, 1, 4].map((k) => makeTensor(`r${k}`, [], BigInt64Array.of(BigInt(k)))),
      makeTensor("cond", [], Uint8Array.of(1), TensorProto_DataType.BOOL),
    ],
    nodes: [
      node("Constant", [], ["k"], { value: makeTensor("", [4], Float32Array.of(1, 2, 3, 4)) }),
      ...computes
        ? [
          node("Shape", ["w"], ["sw"]),
          node("ConstantOfShape", ["sw"], ["zero"]),
          node("Add", ["w", "zero"], ["w0"]),
          node("Concat", ["one1", "one1"], ["reps"], { axis: 0 }),
          node("Tile", ["w0", "reps"], ["w1"]),
          node("Expand", ["w1", "sw"], ["w2c"]),
          node("Range", ["r0", "r4", "r1"], ["rows"]),
          node("Gather", ["w2c", "rows"], ["w3"], { axis: 0 }),
          node("Cast", ["w3"], ["w4"], { to: 1 }),
          node("Slice", ["w4", "z1", "four1"], ["w5"]),
          node("Unsqueeze", ["w5", "z1"], ["w6"]),
          node("ReduceSum", ["w6", "z1"], ["w7"], { keepdims: 0 }),
        ]
        : [],
      node("MatMul", ["x", computes ? "w7" : "w"], ["m"]),
      node("Add", ["m", "b"], ["a"]),
      node("Mul", ["a", "k"], ["ak"]),
      node("LayerNormalization", ["ak", "g", "h"], ["n"], { axis: -1 }),
      node("Div", ["n", "two"], ["nd"]),
      node("Erf", ["nd"], ["er"]),
      node("Add", ["er", "one"], ["e1"]),
      node("Mul", ["n", "e1"], ["ge"]),
      node("Reshape", ["ge", "shape"], ["rs"]),
      node("Transpose", ["rs"], ["tr"], { perm: [1, 0] }),
      node("Transpose", ["tr"], ["tt"], { perm: [1, 0] }),
      node("Split", ["tt", "half"], ["p0", "p1"], { axis: 1 }),
      node("Concat", ["p0", "p1"], ["cc"], { axis: 1 }),
      choice,
      node("Softmax", ["z"], ["sm"], { axis: -1 }),
      node("Add", ["cc", "sm"], ["sum"]),
      node("MatMul", ["sum", "w2"], ["out"]),
    ],
  });
}

/** ConvTranspose, Resize, Slice, Gather of a table, reductions, an LSTM. */
export function assorted(): Model {
  return model({
    inputs: [value("x", ["N", 2, 4, 4]), value("ids", ["N", 3], TensorProto_DataType.INT64)],
    outputs: [value("y", ["N"]), value("q", ["N", 3]), value("h", [1, "N", 2])],
    initializers: [
      ...[
        weights("wt", 2, 3, 2, 2),
        weights("bt", 3),
        weights("table", 6, 3),
        weights("r", 1, 8, 3),
      ],
      ...[weights("rec", 1, 8, 2), weights("rb", 1, 16), integers("axes", [1, 2, 3])],
      ...[integers("from", [0]), integers("to", [2]), integers("at", [2]), integers("one", [1])],
      makeTensor("scales", [4], Float32Array.of(1, 1, 2, 2)),
    ],
    nodes: [
      node("ConvTranspose", ["x", "wt", "bt"], ["ct"], { strides: [2, 2], kernel_shape: [2, 2] }),
      node("Resize", ["ct", "", "scales"], ["up"]),
      node("Slice", ["up", "from", "to", "at"], ["cut"]),
      node("AveragePool", ["cut"], ["ap"], { kernel_shape: [2, 2], strides: [1, 1] }),
      node("LeakyRelu", ["ap"], ["lr"], { alpha: 0.1 }),
      node("ReduceMean", ["lr"], ["y"], { axes: [1, 2, 3], keepdims: 0 }),
      node("Gather", ["table", "ids"], ["emb"]),
      node("ReduceMean", ["emb"], ["q"], { axes: [1], keepdims: 0 }),
      node("Transpose", ["emb"], ["seq"], { perm: [1, 0, 2] }),
      node("LSTM", ["seq", "r", "rec", "rb"], ["all", "h"], { hidden_size: 2 }),
    ],
  });
}

/** Float models as files; the last one says that it is older than its nodes are. */
export function floatModels(): Uint8Array[] {
  const old = convolutional();
  old.opsetImport[0].version = 10n;
  return [convolutional(), transforming(), assorted(), old].map(writeModel);
}

/** Samples for {@linkcode transforming} and {@linkcode assorted}. */
export function samplesFor(which: "transforming" | "assorted", count: number) {
  const normal = gaussian(3);
  return Array.from({ length: count }, (_, i) => ({
    input: which === "transforming" ? { x: { data: floats(4, normal), dims: [4] } } : {
      x: { data: floats(32, normal), dims: [2, 4, 4] },
      ids: { data: BigInt64Array.of(0n, BigInt(i % 6), 5n), dims: [3] },
    },
  }));
}

/** Samples for {@linkcode convolutional}. */
export function samplesOf(count: number, seed = 1) {
  const normal = gaussian(seed);
  return Array.from({ length: count }, () => ({
    input: { data: floats(3 * 8 * 8, normal), dims: [3, 8, 8] },
  }));
}

/** A quantized {@linkcode convolutional}, with all its files. */
export async function quantized(recipe: Recipe = { target: "onnxruntime" }): Promise<Quantization> {
  return await quantize(writeModel(convolutional()), samplesOf(8), recipe);
}

/** A model whose weights are said to be in another file. */
export function withExternalData(): Model {
  const whole = convolutional();
  const initializer = whole.graph.initializer.map((tensor, i) =>
    i % 2 === 0 ? tensor : withFields(tensor, {
      rawData: new Uint8Array(),
      dataLocation: 1,
      externalData: [["location", "ext.data"], ["offset", "0"], [
        "length",
        `${tensor.rawData.length}`,
      ]].map(([key, value]) => ({ $typeName: "onnx.StringStringEntryProto" as const, key, value })),
    })
  );
  return withFields<Model>(whole, { graph: withFields(whole.graph, { initializer }) });
}
