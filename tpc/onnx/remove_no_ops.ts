/**
 * Removal of nodes that pass their input on unchanged at inference: Identity and Dropout.
 *
 * @module
 */
import type { NodeProto } from "onnx-buf";
import { editGraph } from "./edit_graph.ts";
import { type GraphIndex, indexGraph } from "./graph_index.ts";
import { type Model, withFields } from "./model.ts";
import { intAttribute, subgraphs } from "./node.ts";
import { tensorData } from "./tensor.ts";

/**
 * Takes out Identity nodes and Dropout nodes in inference mode. Their readers read their input, so
 * names of other tensors stay. A node stays where removing it would rename an input or output of
 * the model, and where a sub-graph captures its output.
 */
export function removeNoOps(model: Model): Model {
  const index = indexGraph(model.graph);
  const remove = new Set<NodeProto>();
  const renames = new Map<string, string>();
  for (const node of index.nodes) {
    if (!isNoOp(node, index)) continue;
    const [input] = node.input;
    const [output] = node.output;
    const readers = index.consumers.get(output) ?? [];
    if (index.outputs.has(output) || readers.some((reader) => subgraphs(reader).length > 0)) {
      continue;
    }
    remove.add(node);
    renames.set(output, renames.get(input) ?? input);
  }
  if (remove.size === 0) return model;
  const replace = new Map<NodeProto, NodeProto>();
  for (const node of index.nodes) {
    if (node.input.some((name) => renames.has(name))) {
      replace.set(
        node,
        withFields(node, { input: node.input.map((name) => renames.get(name) ?? name) }),
      );
    }
  }
  return editGraph(model, { remove, replace });
}

function isNoOp(node: NodeProto, index: GraphIndex): boolean {
  if (node.domain !== "" && node.domain !== "ai.onnx") return false;
  if (node.opType === "Identity") return true;
  if (node.opType !== "Dropout") return false;
  // The mask output, when somebody reads it, keeps the node.
  const mask = node.output[1] ?? "";
  if (mask !== "" && (index.consumers.has(mask) || index.outputs.has(mask))) return false;
  // Opset 12 moved training_mode to the third input; before 7 `is_test` was an attribute.
  const training = node.input[2] ?? "";
  if (training === "") return intAttribute(node, "is_test", 1) !== 0;
  const constant = index.initializers.get(training);
  return constant !== undefined && Number(tensorData(constant)[0]) === 0;
}
