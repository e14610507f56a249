import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  type NodeProto,
  type TensorProto,
} from "../../onnx/file/onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";
import { type Model, opsetVersion } from "../../onnx/file/model.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { upgradeOpset } from "../../onnx/prepare/upgrade_opset.ts";
import { meansTheSame, UPGRADES } from "../../onnx/prepare/upgrade_rules.ts";
import { model, node, value } from "../support/onnx.ts";
import { integers, operators, randomFeeds, scalar, weights } from "../support/rewrite.ts";
import { assertSameOutputs } from "../support/run_model.ts";

const { FLOAT, FLOATS, STRING, GRAPH } = AttributeProto_AttributeType;
type Field = Parameters<typeof create<typeof AttributeProtoSchema>>[1];
/** A node with attributes that the other helper has no words for. */
function withFieldsOf(base: NodeProto, fields: Record<string, Field>): NodeProto {
  for (const [name, field] of Object.entries(fields)) {
    base.attribute.push(create(AttributeProtoSchema, { name, ...field }));
  }
  return base;
}
const float = (f: number): Field => ({ type: FLOAT, f });
const floats = (...list: number[]): Field => ({ type: FLOATS, floats: list });
const text = (s: string): Field => ({ type: STRING, s: new TextEncoder().encode(s) });

interface Case {
  opset: number[];
  nodes: () => NodeProto[];
  x?: number[];
  constants?: TensorProto[];
  outputs?: string[];
  /** Operators afterwards; the same by default. */
  left?: string[];
  type?: number;
}
const OLD = [7, 8, 9, 10, 11, 12];
const upTo = (last: number) => OLD.filter((opset) => opset <= last);
const flattened = (op: string) => ["Flatten", op, "Shape", "Reshape"];

const CASES: Record<string, Case> = {
  "Clip with bounds": {
    opset: upTo(10),
    nodes: () => [withFieldsOf(node("Clip", ["x"], ["z"]), { min: float(-0.3), max: float(0.7) })],
  },
  "Clip without lower bound": {
    opset: upTo(10),
    nodes: () => [withFieldsOf(node("Clip", ["x"], ["z"]), { max: float(0.1) })],
  },
  "Clip with inputs": {
    opset: [11, 12],
    nodes: () => [node("Clip", ["x", "low"], ["z"])],
    constants: [scalar("low", -0.2)],
  },
  "Pad with a value": {
    opset: upTo(10),
    nodes: () => [
      withFieldsOf(node("Pad", ["x"], ["z"], { pads: [0, 0, 1, 0, 0, 0, 2, 3] }), {
        value: float(1.5),
      }),
    ],
  },
  "Pad that reflects": {
    opset: upTo(10),
    nodes: () => [
      withFieldsOf(node("Pad", ["x"], ["z"], { pads: [0, 0, 1, 0, 0, 0, 2, 3] }), {
        mode: text("reflect"),
      }),
    ],
  },
  "Slice": {
    opset: upTo(9),
    nodes: () => {
      const slice = node("Slice", ["x"], ["z"], { starts: [1, -3], axes: [1, 3] });
      const ints = [3n, 9223372036854775807n];
      return [withFieldsOf(slice, { ends: { type: AttributeProto_AttributeType.INTS, ints } })];
    },
  },
  "Slice without axes": {
    opset: upTo(9),
    nodes: () => [node("Slice", ["x"], ["z"], { starts: [0, 1], ends: [2, 3] })],
  },
  "TopK": {
    opset: upTo(9),
    nodes: () => [node("TopK", ["x"], ["z", "i"], { k: 2, axis: 1 })],
  },
  "Dropout": {
    opset: upTo(11),
    nodes: () => [
      withFieldsOf(node("Dropout", ["x"], ["d"]), { ratio: float(0.3) }),
      node("Neg", ["d"], ["z"]),
    ],
  },
  "Squeeze and Unsqueeze": {
    opset: OLD,
    nodes: () => [
      node("Unsqueeze", ["x"], ["a"], { axes: [0, 3] }),
      node("Squeeze", ["a"], ["b"], { axes: [3] }),
      node("Squeeze", ["b"], ["z"]),
    ],
    x: [1, 3, 4],
  },
  "ReduceSum along axes": {
    opset: OLD,
    nodes: () => [node("ReduceSum", ["x"], ["z"], { axes: [1, 3], keepdims: 0 })],
  },
  "ReduceSum along all axes": { opset: OLD, nodes: () => [node("ReduceSum", ["x"], ["z"])] },
  "ReduceMean, whose axes stay an attribute": {
    opset: OLD,
    nodes: () => [node("ReduceMean", ["x"], ["z"], { axes: [2, 3] })],
  },
  "Split into given parts": {
    opset: OLD,
    nodes: () => [node("Split", ["x"], ["z", "y"], { axis: 3, split: [1, 4] })],
    outputs: ["z", "y"],
  },
  "Split into equal parts": {
    opset: OLD,
    nodes: () => [node("Split", ["x"], ["z", "y"], { axis: 2 })],
    outputs: ["z", "y"],
  },
  "BatchNormalization": {
    opset: OLD,
    nodes: () => [node("BatchNormalization", ["x", "g", "b", "m", "v"], ["z"])],
    constants: [
      ...[weights("g", 3), weights("b", 3), weights("m", 3)],
      makeTensor("v", [3], Float32Array.of(0.5, 1, 2)),
    ],
  },
  "BatchNormalization with spatial = 1": {
    opset: [7, 8],
    nodes: () => [node("BatchNormalization", ["x", "g", "b", "m", "v"], ["z"], { spatial: 1 })],
    constants: [
      ...[weights("g", 3), weights("b", 3), weights("m", 3)],
      makeTensor("v", [3], Float32Array.of(0.5, 1, 2)),
    ],
  },
  "Upsample, nearest": {
    opset: [9],
    nodes: () => [node("Upsample", ["x", "s"], ["z"])],
    constants: [makeTensor("s", [4], Float32Array.of(1, 1, 2, 1.5))],
    left: ["Resize"],
  },
  "Upsample, linear": {
    opset: [9],
    nodes: () => [withFieldsOf(node("Upsample", ["x", "s"], ["z"]), { mode: text("linear") })],
    constants: [makeTensor("s", [4], Float32Array.of(1, 1, 2, 3))],
    left: ["Resize"],
  },
  "Upsample with scales as attribute": {
    opset: [7, 8],
    nodes: () => [withFieldsOf(node("Upsample", ["x"], ["z"]), { scales: floats(1, 1, 2, 3) })],
    left: ["Resize"],
  },
  "Resize up, nearest": {
    opset: [10],
    nodes: () => [node("Resize", ["x", "s"], ["z"])],
    constants: [makeTensor("s", [4], Float32Array.of(1, 1, 2.5, 1.3))],
  },
  "Resize down, nearest": {
    opset: [10],
    nodes: () => [node("Resize", ["x", "s"], ["z"])],
    x: [1, 2, 9, 10],
    constants: [makeTensor("s", [4], Float32Array.of(1, 1, 0.4, 0.7))],
  },
  "Resize, linear": {
    opset: [10],
    nodes: () => [withFieldsOf(node("Resize", ["x", "s"], ["z"]), { mode: text("linear") })],
    constants: [makeTensor("s", [4], Float32Array.of(1, 1, 1.7, 0.6))],
  },
  "Resize to sizes": {
    opset: [11, 12],
    nodes: () => [
      withFieldsOf(node("Resize", ["x", "none", "none", "size"], ["z"]), {
        mode: text("linear"),
        coordinate_transformation_mode: text("align_corners"),
      }),
    ],
    constants: [
      makeTensor("none", [0], new Float32Array(0)),
      integers("size", [1, 3, 7, 3]),
    ],
  },
  "Resize by scales, half_pixel": {
    opset: [11, 12],
    nodes: () => [node("Resize", ["x", "none", "s"], ["z"])],
    constants: [
      makeTensor("none", [0], new Float32Array(0)),
      makeTensor("s", [4], Float32Array.of(1, 1, 2.5, 0.7)),
    ],
  },
  "Scatter": {
    opset: [9, 10],
    nodes: () => [node("Scatter", ["x", "at", "new"], ["z"], { axis: 1 })],
    x: [2, 5],
    constants: [
      makeTensor("at", [2, 2], BigInt64Array.of(1n, 3n, 0n, 2n)),
      weights("new", 2, 2),
    ],
    left: ["ScatterElements"],
  },
  "Flatten, Gemm and LeakyRelu": {
    opset: OLD,
    nodes: () => [
      node("Flatten", ["x"], ["f"]),
      node("Gemm", ["f", "w", "c"], ["g"]),
      node("LeakyRelu", ["g"], ["z"]),
    ],
    constants: [weights("w", 60, 5), weights("c", 5)],
  },
  "Conv, MaxPool and AveragePool": {
    opset: OLD,
    nodes: () => [
      node("Conv", ["x", "w"], ["a"], { pads: [1, 1, 1, 1] }),
      node("MaxPool", ["a"], ["b"], { kernel_shape: [2, 2] }),
      node("AveragePool", ["b"], ["z"], { kernel_shape: [2, 2], pads: [1, 1, 0, 0] }),
    ],
    constants: [weights("w", 4, 3, 3, 3)],
  },
  "ConvTranspose with explicit pads": {
    opset: OLD,
    nodes:
      () => [node("ConvTranspose", ["x", "w"], ["z"], { strides: [2, 2], pads: [1, 0, 0, 1] })],
    constants: [weights("w", 3, 2, 3, 3)],
  },
};
for (const op of ["Softmax", "LogSoftmax", "Hardmax"]) {
  Object.assign(CASES, {
    [`${op} along the last axis of two`]: {
      opset: OLD,
      nodes: () => [node(op, ["x"], ["z"])],
      x: [3, 5],
    },
    [`${op} of channels with one pixel`]: {
      opset: OLD,
      nodes: () => [node(op, ["x"], ["z"], { axis: 1 })],
      x: [3, 5, 1, 1],
    },
    [`${op} along an axis in the middle`]: {
      opset: OLD,
      nodes: () => [node(op, ["x"], ["z"], { axis: 2 })],
      left: flattened(op),
    },
    [`${op} along the first axis`]: {
      opset: OLD,
      nodes: () => [node(op, ["x"], ["z"], { axis: 0 })],
      left: flattened(op),
    },
    [`${op} along axis 1 by default`]: {
      opset: OLD,
      nodes: () => [node(op, ["x"], ["z"])],
      left: flattened(op),
    },
    [`${op} along axis -1`]: {
      opset: [11, 12],
      nodes: () => [node(op, ["x"], ["z"], { axis: -1 })],
    },
    [`${op} along axis -3`]: {
      opset: [11, 12],
      nodes: () => [node(op, ["x"], ["z"], { axis: -3 })],
      left: flattened(op),
    },
  });
}

function build(
  opset: number,
  { nodes, x = [1, 3, 4, 5], constants, outputs = ["z"] }: Case,
): Model {
  // An output without shape: the runtime finds it out.
  const results = outputs.map((name) => {
    const info = value(name, []);
    if (info.type?.value.case === "tensorType") info.type.value.value.shape = undefined;
    return info;
  });
  return model({
    nodes: nodes(),
    inputs: [value("x", x)],
    outputs: results,
    initializers: constants,
    opset,
  });
}

for (const [name, parts] of Object.entries(CASES)) {
  Deno.test(`upgradeOpset() keeps what it computes: ${name}`, async () => {
    for (const opset of parts.opset) {
      const before = build(opset, parts);
      const after = upgradeOpset(before);
      assert.equal(opsetVersion(after), 13);
      assert.equal(opsetVersion(before), opset, "the input stays as it was");
      assert.deepEqual(operators(after), parts.left ?? operators(before));
      await assertSameOutputs(before, after, randomFeeds(before));
    }
  });
}

const REFUSED: [string, number, NodeProto, RegExp][] = [
  ["an operator that isn't in the table", 9, node("Affine", ["x"], ["z"]), /\(Affine\) of opset 9/],
  [
    "a Resize of opset 10 whose scales aren't known",
    10,
    node("Resize", ["x", "x"], ["z"]),
    /constant scales.*\(Resize\) of opset 10/,
  ],
  [
    "tf_half_pixel_for_nn",
    11,
    withFieldsOf(node("Resize", ["x", "", "s"], ["z"]), {
      coordinate_transformation_mode: text("tf_half_pixel_for_nn"),
    }),
    /tf_half_pixel_for_nn/,
  ],
  [
    "BatchNormalization per element",
    8,
    node("BatchNormalization", ["x", "s", "s", "s", "s"], ["z"], { spatial: 0 }),
    /spatial = 1/,
  ],
  [
    "ConvTranspose whose padding follows from its output",
    9,
    node("ConvTranspose", ["x", "s"], ["z"], { output_shape: [9, 9] }),
    /explicit pads/,
  ],
  ["an opset before 7", 6, node("Abs", ["x"], ["z"]), /wanted opset 7 or newer, found opset 6/],
  ["Upsample where it is deprecated", 10, node("Upsample", ["x", "s"], ["z"]), /\(Upsample\)/],
];
for (const [name, opset, broken, message] of REFUSED) {
  Deno.test(`upgradeOpset() refuses ${name}`, () => {
    const before = build(opset, { opset: [], nodes: () => [broken], constants: [weights("s", 3)] });
    assert.throws(() => upgradeOpset(before), (error) => {
      assert.ok(error instanceof PlimsollError);
      assert.equal(error.kind, "model");
      assert.match(error.message, message);
      assert.match(error.message, /onnx\.version_converter/);
      return true;
    });
  });
}

Deno.test("upgradeOpset() passes opset 13 to 23 as they are", () => {
  for (let opset = 13; opset <= 23; opset++) {
    const parts = { opset: [], nodes: () => [node("NewInSomeFuture", ["x"], ["z"])] };
    const before = build(opset, parts);
    assert.equal(upgradeOpset(before), before);
  }
});

Deno.test("upgradeOpset() leaves operators of other sets", () => {
  const foreign = node("Squeeze", ["x"], ["z"], { axes: [0] });
  foreign.domain = "com.example";
  const after = upgradeOpset(build(11, { opset: [], nodes: () => [foreign] }));
  assert.deepEqual(after.graph.node, [foreign]);
});

Deno.test("upgradeOpset() upgrades sub-graphs, too", async () => {
  const body = (factor: number) =>
    create(GraphProtoSchema, {
      name: `times${factor}`,
      node: [
        node("Unsqueeze", ["x"], [`u${factor}`], { axes: [0] }),
        withFieldsOf(node("Clip", [`u${factor}`], [`c${factor}`]), { max: float(factor) }),
        node("Squeeze", [`c${factor}`], [`r${factor}`], { axes: [0] }),
      ],
      output: [value(`r${factor}`, [2, 3])],
    });
  const branch = node("If", ["yes"], ["z"]);
  for (const [name, factor] of [["then_branch", 0.5], ["else_branch", 0.25]] as const) {
    branch.attribute.push(create(AttributeProtoSchema, { name, type: GRAPH, g: body(factor) }));
  }
  const before = build(10, {
    opset: [],
    nodes: () => [
      node("ReduceSum", ["x"], ["sum"], { keepdims: 0 }),
      node("Greater", ["sum", "zero"], ["yes"]),
      branch,
    ],
    x: [2, 3],
    constants: [scalar("zero", 0)],
  });
  const after = upgradeOpset(before);
  assert.equal(opsetVersion(after), 13);
  await assertSameOutputs(before, after, randomFeeds(before));
});

Deno.test("every upgrade ends at opset 13 or at an operator that is safe from there on", () => {
  const open = Object.entries(UPGRADES).filter(([op, rules]) =>
    rules.at(-1)!.before < 13 && !meansTheSame(op)
  );
  assert.deepEqual(open.map(([op]) => op), ["Upsample"], "which opset 10 deprecates");
});
