/** Why what is quantized at run time doesn't become one kernel: the rules, on models that break them, as they run. */
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { type NodeProto, NodeProtoSchema } from "../../../onnx/file/onnx_pb.ts";
import type { Model } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { exampleFeeds } from "../../../pipeline/inference/example_feeds.ts";
import { profileKernels } from "../../../pipeline/inference/profile.ts";
import { explainFusion, nameNodes } from "../../../tpc/emission/fusion.ts";
import { model, node, value } from "../../support/onnx.ts";

/** A dynamic layer as emission writes it, with further nodes and outputs. */
function layer(more: NodeProto[] = [], outputs: string[] = [], scale = ["step", "ws"]): Model {
  return model({
    nodes: [
      create(NodeProtoSchema, {
        opType: "DynamicQuantizeLinear",
        name: "quantize",
        input: ["x"],
        output: ["codes", "step", "zero"],
      }),
      node("MatMulInteger", ["codes", "w", "zero", "wz"], ["sums"]),
      node("Cast", ["sums"], ["numbers"], { to: 1 }),
      node(scale.length === 2 ? "Mul" : "Neg", scale, ["scale"]),
      node("Mul", ["numbers", "scale"], ["y"]),
      ...more,
    ],
    inputs: [value("x", [2, 16])],
    outputs: ["y", ...outputs].map((name) => value(name, [2, 8])),
    initializers: [
      makeTensor("w", [16, 8], Int8Array.from({ length: 128 }, (_, i) => i % 15 - 7)),
      makeTensor("wz", [8], new Int8Array(8)),
      makeTensor("ws", [8], new Float32Array(8).fill(0.1)),
    ],
  });
}

const CASES: Readonly<Record<string, readonly [Model, string | undefined]>> = {
  "a layer as it is written": [layer(), undefined],
  "one whose numbers something else reads": [
    layer([node("Abs", ["numbers"], ["z"])], ["z"]),
    'Abs "Abs_z" reads what only a Mul may',
  ],
  "one whose numbers are an output": [
    layer([], ["numbers"]),
    'Cast "Cast_numbers" makes an output',
  ],
  "one whose scale is no product": [
    layer([], [], ["step"]),
    "its scale \"scale\" is no Mul of the input's step and the weights'",
  ],
};

for (const [name, [written, why]] of Object.entries(CASES)) {
  Deno.test(`explainFusion(): ${name} is ${why === undefined ? "one kernel" : "not"}`, async () => {
    const named = nameNodes(written);
    const feeds = exampleFeeds(named, new Map([["x", [2, 16]]]));
    const { nodes, linear } = explainFusion(named, await profileKernels(named, feeds, name));
    assert.deepEqual(linear, { integer: 1, total: 1 });
    const { kernel, reason } = nodes.find(({ op }) => op === "MatMulInteger")!;
    assert.equal(kernel, why === undefined ? "DynamicQuantizeMatMul" : "MatMulInteger");
    assert.equal(
      reason,
      why && `integers, but Cast, Mul and Add run by themselves: ${why}`,
    );
  });
}
