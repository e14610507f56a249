import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type NodeProto,
  type TensorProto,
} from "../../onnx/file/onnx_pb.ts";
import { runConstants } from "../../pipeline/inference/default_runtime.ts";
import type { Model } from "../../onnx/file/model.ts";
import { intsAttribute } from "../../onnx/graph/node.ts";
import { prepareModel } from "../../onnx/prepare/prepare.ts";
import { model, node, value } from "../support/onnx.ts";
import {
  assertRewrite as assertPrepared,
  integers,
  operators,
  scalar,
  weights,
} from "../support/rewrite.ts";

/** ONNX Runtime folds Pads itself, not always exactly; it doesn't where p is watched. */
const assertRewrite = (before: Model, left: readonly string[]) =>
  assertPrepared(before, left, { watch: ["p"] });

const PADS = [0, 0, 1, 2, 0, 0, 3, 0];
const input = value("x", [1, 2, 6, 7]);

function withString(target: NodeProto, name: string, text: string): NodeProto {
  const s = new TextEncoder().encode(text);
  const type = AttributeProto_AttributeType.STRING;
  target.attribute.push(create(AttributeProtoSchema, { name, type, s }));
  return target;
}

/** x → Pad → reader → z, with outputs whose shape the runtime finds out. */
function padded(reader: NodeProto, more: {
  pads?: number[];
  initializers?: TensorProto[];
  padInputs?: string[];
  before?: NodeProto[];
  after?: NodeProto[];
  outputs?: string[];
  mode?: string;
  opset?: number;
}) {
  const source = more.before === undefined ? "x" : "positive";
  const pad = node("Pad", [source, "pads", ...more.padInputs ?? []], ["p"]);
  return model({
    nodes: [
      ...more.before ?? [],
      more.mode === undefined ? pad : withString(pad, "mode", more.mode),
      reader,
      ...more.after ?? [],
    ],
    inputs: [input],
    outputs: (more.outputs ?? ["z"]).map((name) => value(name, ["n", "c", "h", "w"])),
    initializers: [
      integers("pads", more.pads ?? PADS),
      weights("w", 4, 2, 3, 3),
      ...more.initializers ?? [],
    ],
    opset: more.opset,
  });
}

const conv = (attributes = {}) => node("Conv", ["p", "w"], ["z"], attributes);

Deno.test("foldPad() adds a Pad to the pads of a Conv that has some", async () => {
  const after = await assertRewrite(padded(conv({ pads: [1, 0, 0, 2], strides: [2, 1] }), {}), [
    "Conv",
  ]);
  assert.deepEqual(intsAttribute(after.graph.node[0], "pads"), [2, 2, 3, 2]);
  assert.deepEqual(after.graph.node[0].input, ["x", "w"]);
});

Deno.test("foldPad() takes auto_pad VALID for no pads", async () => {
  const valid = withString(conv(), "auto_pad", "VALID");
  await assertRewrite(padded(valid, { initializers: [scalar("v", 0)], padInputs: ["v"] }), [
    "Conv",
  ]);
});

Deno.test("foldPad() reads the axes of opset 18, negative ones, too", async () => {
  const initializers = [integers("axes", [-1, 2])];
  const parts = { pads: [2, 0, 1, 3], initializers, padInputs: ["", "axes"], opset: 18 };
  const after = await assertRewrite(padded(conv(), parts), ["Conv"]);
  assert.deepEqual(intsAttribute(after.graph.node[0], "pads"), [0, 2, 3, 1]);
});

Deno.test("foldPad() folds two Pads in a row, and into all Convs that read one", async () => {
  const before = model({
    nodes: [
      node("Pad", ["x", "pads"], ["o"]),
      node("Pad", ["o", "pads"], ["p"]),
      node("Conv", ["p", "w"], ["y"]),
      node("Conv", ["p", "v"], ["z"], { dilations: [2, 2] }),
    ],
    inputs: [input],
    outputs: [value("y", ["n", 4, "h", "w"]), value("z", ["n", 3, "h", "w"])],
    initializers: [integers("pads", PADS), weights("w", 4, 2, 3, 3), weights("v", 3, 2, 3, 3)],
  });
  await assertRewrite(before, ["Conv", "Conv"]);
});

Deno.test("foldPad() gives AveragePool a padding that counts", async () => {
  const own: Record<string, number | number[]>[] = [{}, {
    pads: [1, 0, 0, 1],
    count_include_pad: 1,
  }];
  for (const attributes of own) {
    const pool = node("AveragePool", ["p"], ["z"], { kernel_shape: [4, 3], ...attributes });
    const after = await assertRewrite(padded(pool, { pads: [0, 0, 1, 2, 0, 0, 3, 0] }), [
      "AveragePool",
    ]);
    assert.equal(after.graph.node[0].attribute.find((a) => a.name === "count_include_pad")?.i, 1n);
  }
});

Deno.test("foldPad() gives MaxPool a padding of minus infinity", async () => {
  for (const low of [-Infinity, -3.4028234663852886e38]) {
    const pool = node("MaxPool", ["p"], ["z"], { kernel_shape: [4, 3], strides: [2, 2] });
    await assertRewrite(padded(pool, { initializers: [scalar("v", low)], padInputs: ["v"] }), [
      "MaxPool",
    ]);
  }
});

const POSITIVE: [string, NodeProto[]][] = [
  ["Relu", [node("Relu", ["x"], ["positive"])]],
  ["Sigmoid", [node("Sigmoid", ["x"], ["positive"])]],
  ["Clip from 0", [node("Clip", ["x", "zero"], ["positive"])]],
  ["Relu, MaxPool and Add", [
    node("Relu", ["x"], ["a"]),
    node("MaxPool", ["a"], ["b"], { kernel_shape: [2, 2] }),
    node("Add", ["b", "one"], ["positive"]),
  ]],
];
for (const [name, before] of POSITIVE) {
  Deno.test(`foldPad() folds zeros into a MaxPool behind ${name}`, async () => {
    const pool = node("MaxPool", ["p"], ["z"], { kernel_shape: [4, 3] });
    const initializers = [scalar("zero", 0), scalar("one", 1)];
    const ops = before.map(({ opType }) => opType);
    await assertRewrite(padded(pool, { before, initializers }), [...ops, "MaxPool"]);
  });
}

const relu = [node("Relu", ["x"], ["positive"])];
const maxPool = (attributes = {}, outputs = ["z"]) =>
  node("MaxPool", ["p"], outputs, { kernel_shape: [4, 3], ...attributes });
const averagePool = (attributes = {}) =>
  node("AveragePool", ["p"], ["z"], { kernel_shape: [4, 3], ...attributes });
/** Where folding would change a result or isn't known not to. */
const LEFT: [string, Parameters<typeof padded>][] = [
  ["a value other than 0 before a Conv", [conv(), {
    initializers: [scalar("v", 1)],
    padInputs: ["v"],
  }]],
  ["reflection", [conv(), { mode: "reflect" }]],
  ["cropping", [conv(), { pads: [0, 0, -1, 0, 0, 0, 0, 0] }]],
  ["padded channels", [node("Conv", ["p", "u"], ["z"]), {
    pads: [0, 1, 0, 0, 0, 0, 0, 0],
    initializers: [weights("u", 4, 3, 3, 3)],
  }]],
  ["auto_pad SAME_UPPER", [withString(conv({ strides: [2, 2] }), "auto_pad", "SAME_UPPER"), {}]],
  ["a Pad that is an output of the model", [conv(), { outputs: ["z", "p"] }]],
  ["a Pad that another operator reads", [conv(), {
    after: [node("Neg", ["p"], ["q"])],
    outputs: ["z", "q"],
  }]],
  ["zeros before a MaxPool of negative numbers", [maxPool(), {}]],
  ["a padding as large as the kernel", [maxPool(), {
    before: relu,
    pads: [0, 0, 0, 3, 0, 0, 0, 0],
  }]],
  ["a dilated MaxPool", [maxPool({ dilations: [2, 1] }), { before: relu }]],
  ["a MaxPool with ceil_mode", [maxPool({ ceil_mode: 1, strides: [2, 2] }), { before: relu }]],
  ["a MaxPool with indices", [maxPool({}, ["z", "indices"]), { before: relu }]],
  ["an AveragePool that doesn't count its own padding", [averagePool({ pads: [1, 1, 1, 1] }), {}]],
  ["a value other than 0 before an AveragePool", [averagePool(), {
    initializers: [scalar("v", 1)],
    padInputs: ["v"],
  }]],
];
for (const [name, parts] of LEFT) {
  Deno.test(`foldPad() leaves ${name}`, async () => {
    const before = padded(...parts);
    const after = await prepareModel(before, runConstants);
    assert.deepEqual(operators(after), operators(before));
    assert.deepEqual(after.graph.initializer, before.graph.initializer);
  });
}
