/** What a file may say of nodes and tensors. */
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { AttributeProtoSchema, TensorProtoSchema } from "../../onnx/file/onnx_pb.ts";
import { readModel, writeModel } from "../../onnx/file/model.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { PlimsollError } from "../../core/errors.ts";
import { model, node, value } from "../support/onnx.ts";
import { weights } from "../support/rewrite.ts";

type Attributes = Parameters<typeof node>[3];

function conv(attributes: Attributes, weight = weights("w", 4, 2, 3, 3)) {
  return model({
    inputs: [value("x", ["N", 2, 8, 8])],
    outputs: [value("y", ["N", 4, 8, 8])],
    initializers: [weight],
    nodes: [node("Conv", ["x", "w"], ["y"], attributes)],
  });
}

const refused = (built: ReturnType<typeof model>, message: RegExp) =>
  assert.throws(() => readModel(writeModel(built), "m"), (error) => {
    assert.ok(error instanceof PlimsollError, String(error));
    assert.equal(error.kind, "model");
    assert.match(error.message, message);
    return true;
  });

Deno.test("a Conv has lists for its axes and a group that divides", () => {
  readModel(writeModel(conv({ pads: [1, 1, 1, 1], kernel_shape: [3, 3], strides: [2, 2] })), "m");
  refused(conv({ pads: [1, 1] }), /node Conv "Conv_y": wanted pads with 4 numbers, found \[1,1\]/);
  refused(conv({ kernel_shape: [5, 5] }), /wanted kernel_shape \[3,3\]/);
  refused(conv({ strides: [0, 1] }), /strides from 1 on/);
  refused(conv({ dilations: [1] }), /dilations with 2 numbers/);
  for (const group of [-1, 0, 3]) refused(conv({ group }), /a group that divides the channels/);
  refused(conv({ group: [1] }), /attribute group of kind INT, found INTS/);
  refused(conv({}, weights("w", 4, 2)), /weights of three axes or more/);
});

Deno.test("matrices are matrices, permutations permutations, and what is needed is there", () => {
  const one = (
    op: string,
    input: string[],
    attributes: Attributes,
    ...initializers: ReturnType<typeof weights>[]
  ) =>
    model({
      inputs: [value("x", ["N", 4])],
      outputs: [value("y", ["N", 4])],
      initializers,
      nodes: [node(op, input, ["y"], attributes)],
    });
  refused(one("Gemm", ["x", "w"], {}, weights("w", 4)), /a matrix as input 1/);
  refused(one("Gemm", ["x"], {}), /2 inputs, found no input 1/);
  refused(one("Transpose", ["x"], { perm: [0, 0] }), /perm with each axis once/);
  refused(
    one(
      "BatchNormalization",
      ["x", "a", "b", "c", "d"],
      {},
      ...[weights("a", 4), weights("b", 4), weights("c", 3), weights("d", 4)],
    ),
    /of one shape, found \[4\] and \[3\]/,
  );
});

Deno.test("tensors have a known type, a shape, and its elements", () => {
  const with_ = (fields: object) => {
    const built = conv({});
    built.graph.initializer = [
      Object.assign(makeTensor("w", [4], Float32Array.of(1, 2, 3, 4)), fields),
    ];
    return built;
  };
  refused(
    with_({ dataType: -1 }),
    /tensor "w": wanted an element type that is known, found number -1/,
  );
  refused(with_({ dims: [5n] }), /wanted 20 bytes for its type and shape, found 16/);
  refused(with_({ dims: [-4n] }), /a shape that a file can hold/);
  refused(with_({ dims: [1n << 40n, 1n << 40n] }), /a shape that a file can hold/);
  refused(
    with_({ rawData: new Uint8Array(), int64Data: [1n, 2n, 3n, 4n] }),
    /wanted 4 elements for its type and shape, found 0/,
  );
  const inAttribute = conv({});
  inAttribute.graph.node[0].attribute.push(create(AttributeProtoSchema, {
    name: "odd",
    type: 4,
    t: create(TensorProtoSchema, { dataType: 15, dims: [4n, 4n], rawData: new Uint8Array(64) }),
  }));
  refused(inAttribute, /wanted 256 bytes/);
});

Deno.test("a name that objects don't keep is refused, other odd ones aren't", () => {
  const named = (name: string) =>
    model({
      inputs: [value("x", [1])],
      outputs: [value(name, [1])],
      nodes: [node("Relu", ["x"], [name])],
    });
  readModel(writeModel(named("constructor")), "m");
  refused(named("__proto__"), /wanted tensors and attributes .*, found "__proto__"/);
});
