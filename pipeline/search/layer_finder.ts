/**
 * The layers of a model by the weights that a manifest names.
 *
 * @module
 */
import type { ManifestWeight } from "../../tpc/manifest.ts";
import { indexGraph } from "../../onnx/graph/graph_index.ts";
import { inferShapes } from "../../onnx/operators/infer_shapes.ts";
import { type LinearLayer, linearLayer } from "../../onnx/layers/linear_layer.ts";
import type { Model } from "../../onnx/file/model.ts";
import { nodeName } from "../../onnx/graph/node.ts";

/** Finds the layer that reads a weight tensor; undefined for constant operands of other operators. */
export type FindLayer = (weight: Pick<ManifestWeight, "node" | "input">) => LinearLayer | undefined;

/** Looks at a prepared model once. */
export function layerFinder({ graph }: Model): FindLayer {
  const index = indexGraph(graph);
  const shapes = inferShapes(graph, index);
  const nodes = new Map(graph.node.map((node) => [nodeName(node), node]));
  return ({ node: name, input }) => {
    const node = nodes.get(name);
    // Input 1: not a constant on the left of a MatMul.
    return node === undefined || input !== 1 ? undefined : linearLayer(node, index, shapes);
  };
}
