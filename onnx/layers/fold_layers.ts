/**
 * The pass that every folding into a layer is.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "../file/onnx_pb.ts";
import { editGraph, type GraphChanges } from "../graph/edit_graph.ts";
import { type GraphIndex, indexGraph } from "../graph/graph_index.ts";
import { inferShapes, type Shapes } from "../operators/infer_shapes.ts";
import { type LinearLayer, linearLayer } from "./linear_layer.ts";
import type { Model } from "../file/model.ts";
import { nameMaker } from "../graph/names.ts";

/** Facts about a graph, and names for what comes into it. */
export interface RewriteInProgress {
  readonly index: GraphIndex;
  readonly shapes: Shapes;
  /** A name that is not taken, as wished where possible. */
  readonly newName: (wish: string) => string;
}

/** What folding into one layer changes. */
export type Fold = Required<Omit<GraphChanges, "add">>;

/**
 * Folds into each layer of a graph what `foldInto` finds for it; undefined when there is nothing. The model is
 * edited once, and stays the same object when nothing folds.
 */
export function foldLayers(
  model: Model,
  foldInto: (layer: LinearLayer, workshop: RewriteInProgress) => Fold | undefined,
): Model {
  const index = indexGraph(model.graph);
  const shapes = inferShapes(model.graph, index);
  const workshop = { index, shapes, newName: nameMaker(model.graph) };
  const remove = new Set<NodeProto>();
  const replace = new Map<NodeProto, NodeProto>();
  const initializers: TensorProto[] = [];
  for (const node of index.nodes) {
    const layer = linearLayer(node, index, shapes);
    const fold = layer && foldInto(layer, workshop);
    if (fold === undefined) continue;
    fold.remove.forEach((gone) => remove.add(gone));
    fold.replace.forEach((now, old) => replace.set(old, now));
    initializers.push(...fold.initializers);
  }
  return replace.size === 0 ? model : editGraph(model, { remove, replace, initializers });
}
