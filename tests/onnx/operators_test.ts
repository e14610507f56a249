import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
} from "../../onnx/file/onnx_pb.ts";
import { elementTypes } from "../../onnx/operators/infer_types.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { model, node, value } from "../support/onnx.ts";

Deno.test("elementTypes() knows what the first input of an operator doesn't tell", () => {
  const [FLOAT, INT64, BOOL] = [1, 7, 9];
  const body = (...output: ReturnType<typeof value>[]) =>
    create(AttributeProtoSchema, {
      name: "body",
      type: AttributeProto_AttributeType.GRAPH,
      g: create(GraphProtoSchema, { name: "body", input: output, output }),
    });
  const loop = node("Loop", ["count"], ["state", "index"]);
  loop.attribute.push(
    body(value("more", [], BOOL), value("s", [2], FLOAT), value("i", [], INT64)),
  );
  const branch = node("If", ["flag"], ["taken"]);
  branch.attribute.push(body(value("t", [2], FLOAT)));
  const zeros = makeTensor("", [1], BigInt64Array.of(0n));
  const { graph } = model({
    nodes: [
      loop,
      branch,
      node("ConstantOfShape", ["shape"], ["floats"]),
      node("ConstantOfShape", ["shape"], ["integers"], { value: zeros }),
      node("OneHot", ["ids", "depth", "x"], ["hot"]),
      node("CastLike", ["ids", "x"], ["cast"]),
      node("NonMaxSuppression", ["x", "x"], ["selected"]),
      node("Unique", ["x"], ["unique", "positions"]),
    ],
    inputs: [
      value("x", [2]),
      value("flag", [], BOOL),
      ...["count", "shape", "ids", "depth"].map((name) => value(name, [2], INT64)),
    ],
    outputs: [],
  });
  const types = elementTypes(outlineGraph(graph));
  const floats = ["x", "state", "taken", "floats", "hot", "cast", "unique"];
  assert.deepEqual([...types].filter(([, type]) => type === "float").map(([name]) => name), floats);
});
