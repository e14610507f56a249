/** Local functions become the nodes that they stand for. */
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  FunctionProtoSchema,
  type NodeProto,
  OperatorSetIdProtoSchema,
} from "../../onnx/file/onnx_pb.ts";
import { type Model, withFields } from "../../onnx/file/model.ts";
import { inlineFunctions } from "../../onnx/prepare/inline_functions.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import { resolve } from "../../tpc/placement/resolve.ts";
import { presetTarget } from "../../tpc/targets/read_target.ts";
import { withSmallLayers } from "../support/small_layers.ts";
import { model, node, value } from "../support/onnx.ts";
import { operators, randomFeeds, weights } from "../support/rewrite.ts";
import { assertSameOutputs } from "../support/run_model.ts";

const domain = "pkg";
const call = (made: NodeProto) => withFields(made, { domain });

function withFunctions(base: Model, version: bigint): Model {
  const slope = create(AttributeProtoSchema, {
    name: "alpha",
    type: AttributeProto_AttributeType.FLOAT,
    refAttrName: "slope",
  });
  const opsetImport = [create(OperatorSetIdProtoSchema, { version })];
  const inner = [create(OperatorSetIdProtoSchema, { domain, version: 1n }), ...opsetImport];
  const leaky = withFields(node("LeakyRelu", ["t"], ["u"]), { attribute: [slope] });
  const functions = [
    create(FunctionProtoSchema, {
      ...{ name: "Leaky", domain, input: ["t"], output: ["u"], attribute: ["slope"] },
      ...{ node: [leaky], opsetImport },
    }),
    create(FunctionProtoSchema, {
      ...{ name: "Layer", domain, input: ["t", "w", "b"], output: ["o"], attribute: ["slope"] },
      node: [
        node("Conv", ["t", "w", "b"], ["c"]),
        withFields(call(node("Leaky", ["c"], ["o"])), {
          attribute: [withFields(slope, { name: "slope" })],
        }),
      ],
      opsetImport: inner,
    }),
  ];
  return withFields<Model>(base, {
    functions,
    opsetImport: [...base.opsetImport, create(OperatorSetIdProtoSchema, { domain, version: 1n })],
  });
}

const base = model({
  nodes: [
    // A bias that the call leaves out, an inner name that the graph has as well, and the default slope.
    call(withFields(node("Layer", ["x", "w1"], ["c"]), { attribute: [slopeOf(0.3)] })),
    call(node("Layer", ["c", "w2", "b"], ["y"])),
  ],
  inputs: [value("x", [1, 3, 5, 5])],
  outputs: [value("y", [1, 2, 5, 5])],
  initializers: [weights("w1", 4, 3, 1, 1), weights("w2", 2, 4, 1, 1), weights("b", 2)],
});

function slopeOf(f: number) {
  return create(AttributeProtoSchema, {
    name: "slope",
    type: AttributeProto_AttributeType.FLOAT,
    f,
  });
}

Deno.test("inlineFunctions() inlines calls, those inside functions too, with their attributes", async () => {
  const before = withFunctions(base, 17n);
  const after = inlineFunctions(before);
  assert.deepEqual(operators(after), ["Conv", "LeakyRelu", "Conv", "LeakyRelu"]);
  assert.deepEqual(after.functions, []);
  assert.deepEqual(after.opsetImport.map(({ domain }) => domain), [""]);
  assert.equal(new Set(after.graph.node.map(({ name }) => name)).size, 4);
  await assertSameOutputs(before, after, randomFeeds(before));
  const { float, weights } = resolve(
    outlineGraph(after.graph),
    withSmallLayers(presetTarget("onnxruntime")!),
  );
  // The last LeakyRelu makes an output of the model: integers would cost it a quantizer.
  assert.deepEqual([float.map(({ op }) => op), weights.length], [["LeakyRelu"], 2]);
});

Deno.test("inlineFunctions() leaves functions of another opset, and models without any, alone", () => {
  const other = withFunctions(base, 13n);
  assert.equal(inlineFunctions(other), other);
  assert.equal(inlineFunctions(base), base);
});
