/**
 * Tensors inside fused chains.
 *
 * @module
 */
import type { GraphProto } from "../../onnx/file/onnx_pb.ts";
import { nodeName } from "../../onnx/graph/node.ts";
import type { ExportedActivation, InnerTensor } from "./exporter.ts";

/**
 * Finds what each fused node reads: between Conv, Relu and the quantized tensor lies one that the
 * manifest doesn't name, and some tools ask for it.
 *
 * @param graph Of the prepared model.
 */
export function innerTensors(
  activations: readonly Pick<ExportedActivation, "tensor" | "fused">[],
  graph: GraphProto,
): InnerTensor[] {
  const nodes = new Map(graph.node.map((node) => [nodeName(node), node]));
  return activations.flatMap(({ tensor: like, fused }) =>
    fused.flatMap((name) => nodes.get(name)?.input.slice(0, 1) ?? []).map((tensor) => ({
      tensor,
      like,
    }))
  );
}
