import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type NodeProto,
} from "../../onnx/file/onnx_pb.ts";
import { subgraphs } from "../../onnx/graph/node.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { model, node, value } from "../support/onnx.ts";
import { assertRewrite, integers, scalar, weights } from "../support/rewrite.ts";

const type = AttributeProto_AttributeType.GRAPH;
const graph = (parts: Parameters<typeof create<typeof GraphProtoSchema>>[1]) =>
  create(GraphProtoSchema, { name: "body", ...parts as object }) as GraphProto;
const withBodies = (base: NodeProto, bodies: Record<string, GraphProto>) => {
  for (const [name, g] of Object.entries(bodies)) {
    base.attribute.push(create(AttributeProtoSchema, { name, type, g }));
  }
  return base;
};
const SHAPE = [1, 4, 3, 3];

Deno.test("prepareModel() leaves what an If captures: tensors, weights, constants, and its bodies", async () => {
  const bodies = {
    then_branch: graph({
      // Captures an activation that BatchNormalization follows, shared weights and a passed-on tensor.
      node: [
        node("Conv", ["passed", "w"], ["t1"]),
        node("Add", ["t1", "a"], ["t2"]),
        node("Mul", ["t2", "constant"], ["t3"]),
        node("Identity", ["t3"], ["t4"]),
      ],
      output: [value("t4", SHAPE)],
    }),
    else_branch: graph({
      node: [
        node("Conv", ["padded", "w"], ["e1"]),
        node("GlobalAveragePool", ["e1"], ["e2"]),
        node("Mul", ["a", "e2"], ["e3"]),
      ],
      output: [value("e3", SHAPE)],
    }),
  };
  for (const threshold of [-1e9, 1e9]) {
    const before = model({
      nodes: [
        node("Constant", [], ["constant"], { value: scalar("", 1.5) }),
        node("Identity", ["x"], ["passed"]),
        node("Pad", ["x", "pads"], ["padded"]),
        node("Conv", ["padded", "w"], ["p"]),
        node("Relu", ["p"], ["q"]),
        node("Conv", ["x", "w"], ["a"]),
        node("BatchNormalization", ["a", "g", "b", "m", "v"], ["n"]),
        node("Conv", ["n", "w"], ["c"]),
        node("Mul", ["c", "constant"], ["y"]),
        node("ReduceSum", ["x"], ["sum"], { keepdims: 0 }),
        node("Greater", ["sum", "threshold"], ["yes"]),
        withBodies(node("If", ["yes"], ["z"]), bodies),
      ],
      inputs: [value("x", SHAPE)],
      outputs: [value("z", SHAPE), value("y", SHAPE), value("q", ["n", "c", "h", "w"])],
      initializers: [
        ...[weights("w", 4, 4, 1, 1), integers("pads", [0, 0, 1, 1, 0, 0, 1, 1])],
        ...[weights("g", 4), weights("b", 4), weights("m", 4), scalar("threshold", threshold)],
        makeTensor("v", [4], Float32Array.of(0.5, 1, 2, 3)),
      ],
    });
    // BatchNormalization goes into the Conv behind it: the tensor before it is captured.
    // BatchNormalization goes into the Conv behind it: the tensor before it is captured.
    const after = await assertRewrite(before, [
      ...["Identity", "Pad", "Conv", "Relu", "Conv", "Conv", "ReduceSum", "Greater", "If"],
    ]);
    const inner = after.graph.node.flatMap(subgraphs);
    assert.deepEqual(
      inner.map((body) => toBinary(GraphProtoSchema, body)),
      Object.values(bodies).map((body) => toBinary(GraphProtoSchema, body)),
    );
  }
});

Deno.test("prepareModel() leaves a Loop and the names that it captures", async () => {
  const body = graph({
    node: [
      node("Conv", ["state", "w"], ["next0"]),
      node("Tanh", ["next0"], ["next"]),
      node("Add", ["next", "bias"], ["state_out"]),
      node("Identity", ["go"], ["go_out"]),
    ],
    input: [value("i", [], 7), value("go", [], 9), value("state", SHAPE)],
    output: [value("go_out", [], 9), value("state_out", SHAPE)],
  });
  const before = model({
    nodes: [
      node("Conv", ["x", "w"], ["a"]),
      node("Mul", ["a", "s"], ["b"]),
      withBodies(node("Loop", ["count", "", "b"], ["c"]), { body }),
      node("Mul", ["c", "s"], ["d"]),
      node("Conv", ["d", "w"], ["z"]),
    ],
    inputs: [value("x", SHAPE)],
    outputs: [value("z", SHAPE)],
    initializers: [
      ...[weights("w", 4, 4, 1, 1), weights("s", 1, 4, 1, 1), weights("bias", 4, 1, 1)],
      makeTensor("count", [], BigInt64Array.of(3n)),
    ],
  });
  const after = await assertRewrite(before, ["Conv", "Loop", "Mul", "Conv"]);
  assert.equal(subgraphs(after.graph.node[1])[0], body);
  assert.deepEqual(
    after.graph.initializer.find(({ name }) => name === "w"),
    before.graph.initializer[0],
  );
});
