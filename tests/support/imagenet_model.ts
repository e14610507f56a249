/** A small model for examples. */
import { writeModel } from "../../onnx/file/model.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { model, node, value } from "./onnx.ts";
import { floats, gaussian } from "./random.ts";

/** The file of a model that takes what preprocessing `imagenet` makes. */
export function imagenetModel(): Uint8Array<ArrayBuffer> {
  const random = gaussian(5);
  return writeModel(model({
    nodes: [
      node("Conv", ["x", "w"], ["c"], { kernel_shape: [3, 3], strides: [8, 8] }),
      node("Relu", ["c"], ["r"]),
      node("GlobalAveragePool", ["r"], ["p"]),
      node("Flatten", ["p"], ["f"]),
      node("Gemm", ["f", "v"], ["y"]),
    ],
    inputs: [value("x", ["n", 3, 224, 224])],
    outputs: [value("y", ["n", 5])],
    initializers: [
      makeTensor("w", [4, 3, 3, 3], floats(4 * 3 * 9, random)),
      makeTensor("v", [4, 5], floats(20, random)),
    ],
  }));
}
