/** Models that never end. */
import { create } from "@bufbuild/protobuf";
import { writeModel } from "../../onnx/file/model.ts";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
} from "../../onnx/file/onnx_pb.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { model, node, value } from "./onnx.ts";

const BOOL = 9;
const INT64 = 7;

/** A model of rows of 4 numbers with a Loop of 2^62 trips in front of a product. */
export function endlessModel(): Uint8Array<ArrayBuffer> {
  const loop = node("Loop", ["trips", "more", "x"], ["looped"]);
  loop.attribute.push(create(AttributeProtoSchema, {
    name: "body",
    type: AttributeProto_AttributeType.GRAPH,
    g: create(GraphProtoSchema, {
      name: "body",
      node: [node("Identity", ["go"], ["on"]), node("Add", ["v", "one"], ["w"])],
      initializer: [makeTensor("one", [], Float32Array.of(1))],
      input: [value("i", [], INT64), value("go", [], BOOL), value("v", ["n", 4])],
      output: [value("on", [], BOOL), value("w", ["n", 4])],
    }),
  }));
  return writeModel(model({
    nodes: [loop, node("MatMul", ["looped", "m"], ["y"])],
    inputs: [value("x", ["n", 4])],
    outputs: [value("y", ["n", 4])],
    initializers: [
      makeTensor("trips", [], BigInt64Array.of(2n ** 62n)),
      makeTensor("more", [], Uint8Array.of(1), BOOL),
      makeTensor("m", [4, 4], new Float32Array(16).fill(1)),
    ],
  }));
}
