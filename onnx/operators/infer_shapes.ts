/**
 * Shapes of tensors, as far as the file and the table of operators give them. Rewrites ask for the rank of a
 * tensor or the size of its channel axis; what isn't known is undefined, and they leave the graph alone.
 *
 * @module
 */
import type { GraphProto, ValueInfoProto } from "../file/onnx_pb.ts";
import { dimensions } from "../file/tensor.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { viewNode } from "../graph/node_view.ts";
import { completeNode, operatorOf } from "./operators.ts";
import type { Shape } from "./shape_rules.ts";

/** Shapes by tensor name; a tensor of unknown rank isn't there. */
export type Shapes = ReadonlyMap<string, Shape>;

/** Finds the shapes of a graph: declared ones first, then from each operator's inputs. */
export function inferShapes(graph: GraphProto, index: GraphIndex): Shapes {
  const shapes = new Map<string, Shape>();
  for (const [name, tensor] of index.initializers) shapes.set(name, dimensions(tensor));
  for (const info of [...graph.output, ...graph.valueInfo, ...graph.input]) {
    const shape = declaredShape(info);
    if (shape !== undefined) shapes.set(info.name, shape);
  }
  for (const node of index.nodes.map(viewNode)) {
    const operator = operatorOf(node);
    const inferred = operator?.shape({
      inputs: node.inputs,
      shapes: node.inputs.map((input) => shapes.get(input)),
      attributes: completeNode(node, operator).attributes,
      constant: (input) => index.numbers(node.inputs[input]),
    });
    const [name] = node.outputs;
    const declared = shapes.get(name);
    if (declared === undefined && inferred !== undefined) shapes.set(name, inferred);
    // Both know something: a symbolic dimension may have a number after all.
    if (declared !== undefined && inferred?.length === declared.length) {
      shapes.set(name, declared.map((dim, axis) => dim ?? inferred[axis]));
    }
  }
  return shapes;
}

function declaredShape({ type }: ValueInfoProto): Shape | undefined {
  if (type?.value.case !== "tensorType") return undefined;
  // Paddle writes −1, others 0, for a dimension that varies.
  const shape = type.value.value.shape?.dim.map(({ value }) =>
    value.case === "dimValue" && value.value > 0n ? Number(value.value) : undefined
  );
  // Some exporters write "no dimensions", which means a scalar, where they don't know them.
  return shape?.length === 0 ? undefined : shape;
}
