/**
 * The linear layers that a tensor goes into, when it goes nowhere else.
 *
 * @module
 */
import type { NodeProto } from "../file/onnx_pb.ts";
import type { RewriteInProgress } from "../layers/fold_layers.ts";
import { type LinearLayer, linearLayer } from "../layers/linear_layer.ts";
import { isOperator } from "../graph/node.ts";

/** Where a tensor goes. */
export interface LayersBehind {
  /** The layers at the ends of all ways. */
  readonly layers: readonly LinearLayer[];
  /** The nodes on the ways. */
  readonly between: readonly NodeProto[];
}

/**
 * Follows a tensor through the nodes that `passes` allows, as their first input. Undefined unless every way
 * ends as the data of a linear layer: one that ends at an output of the model, in a sub-graph, in
 * another operator, or as another input of an allowed one can't be made up for. Who asks for the shape
 * only (Shape, Size) doesn't count.
 */
export function layersBehind(
  tensor: string,
  passes: (node: NodeProto) => boolean,
  { index, shapes }: Pick<RewriteInProgress, "index" | "shapes">,
): LayersBehind | undefined {
  const layers: LinearLayer[] = [];
  const between: NodeProto[] = [];
  const open = [tensor];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (index.outputs.has(name)) return;
    for (const reader of index.consumers.get(name) ?? []) {
      if (isOperator(reader, "Shape", "Size")) continue;
      if (reader.input.lastIndexOf(name) !== 0) return;
      const layer = linearLayer(reader, index, shapes);
      if (layer !== undefined) {
        layers.push(layer);
      } else if (passes(reader)) {
        between.push(reader);
        open.push(...reader.output.filter((output) => output !== ""));
      } else {
        return;
      }
    }
  }
  return layers.length === 0 ? undefined : { layers, between };
}
